/** The page of the figures. */

const sorted = (values) => [...values].sort((a, b) => a - b);
const median = (values) => sorted(values)[Math.floor(values.length / 2)];
const spread = (values, digits) => {
  const all = sorted(values);
  return `${median(values).toFixed(digits)} (${all[0].toFixed(digits)}–${all.at(-1).toFixed(digits)})`;
};

/**
 * @param rates requests per CPU second of each round, by proxy: `triptych`, `fastify`, `fastify, logging`.
 * @returns the page as Markdown.
 */
export function report({ rates, machine, versions, rounds, requests, connections }) {
  const ratioTo = (peer) => rates.triptych.map((rate, index) => rate / rates[peer][index]);
  const row = (name, key, bound) => `| ${name} | ${spread(rates[key], 0)} | ${spread(ratioTo(key), 2)} | ${bound} |`;
  return `# The web UI server's performance

Measured by \`make -C images/webui bench\` on ${new Date().toISOString().slice(0, 10)}: ${machine}.
Medians (ranges) of ${rounds} interleaved rounds of ${requests} requests over ${connections} connections, for one JSON document of 5 kB from one upstream.

| proxy | requests per second of its CPU time | web UI ÷ it | bound |
|---|---|---|---|
| web UI server: session cookie → Bearer, CSRF check of writes, header hygiene, request id, log line, metrics | ${spread(rates.triptych, 0)} | | |
${row(`@fastify/http-proxy ${versions["@fastify/http-proxy"]} on Fastify ${versions.fastify}, bare: none of that`, "fastify", "≥ 0.8")}
${row("the same with Fastify's logger on", "fastify, logging", "")}

Ratios are of rounds beside each other, so what else the machine does disturbs them less than the rates. The peer and the load generator (autocannon) are installed by the benchmark below \`~/.cache/triptych\`, pinned by \`images/webui/bench/peer/package-lock.json\`.
`;
}
