import { clsx } from "clsx";
import { scaleLinear } from "d3-scale";
import { area, line } from "d3-shape";
import { useId, useState, type PointerEvent } from "react";
import { formatClock } from "@/lib/format";
import { Card } from "./card";

export interface Series {
  label: string;
  /** One for each time; undefined where there is none. */
  values: readonly (number | undefined)[];
  tone: "gold" | "bad";
}

interface LineChartProps {
  title: string;
  /** What the values are counted over, or why they are not complete. */
  note?: string | undefined;
  /** Milliseconds since the epoch, rising. */
  times: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
  empty: string;
}

// The drawing is stretched to its card; lines keep their width by vector-effect, and texts are HTML.
const WIDTH = 600;
const HEIGHT = 100;
const STROKES = { gold: "stroke-gold", bad: "stroke-bad" };
const FILLS = { gold: "fill-gold/15", bad: "fill-bad/15" };
const DOTS = { gold: "bg-gold", bad: "bg-bad" };

/** Lines over time, with the values at the pointer, or the newest, in words beside them. */
export function LineChart({ title, note, times, series, format, empty }: LineChartProps) {
  const id = useId();
  const [pointed, setPointed] = useState<number>();
  const last = times.length - 1;
  // Newer values may have pushed out the one that was pointed at.
  const index = pointed === undefined ? last : Math.min(pointed, last);
  const drawn = series.some(({ values }) => values.filter((value) => value !== undefined).length > 1);
  return (
    <Card aria-labelledby={id} className="flex flex-col p-5">
      <h3 id={id} className="font-medium">
        {title}
      </h3>
      {note && <p className="text-xs text-muted">{note}</p>}
      <ul className="mt-2 mb-3 flex flex-wrap gap-x-5 gap-y-1 text-xs">
        {series.map(({ label, values, tone }) => (
          <li key={label} className="flex items-center gap-1.5">
            <span aria-hidden className={clsx("size-2 rounded-full", DOTS[tone])} />
            <span className="text-muted">{label}</span>
            <span className="font-medium tabular-nums">{textOf(values[index], format)}</span>
          </li>
        ))}
      </ul>
      {drawn ? (
        <Drawing times={times} series={series} format={format} pointed={pointed} onPoint={setPointed} />
      ) : (
        <p className="grid h-36 place-items-center text-center text-muted">{empty}</p>
      )}
    </Card>
  );
}

interface DrawingProps extends Pick<LineChartProps, "times" | "series" | "format"> {
  pointed: number | undefined;
  onPoint: (index: number | undefined) => void;
}

function Drawing({ times, series, format, pointed, onPoint }: DrawingProps) {
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? 0;
  const x = scaleLinear([first, last], [0, WIDTH]);
  const y = scaleLinear([0, greatest(series)], [HEIGHT, 0]).nice(2);
  const ticks = y.ticks(2);
  const pointsOf = (values: Series["values"]) =>
    values.map((value, index): Point => [x(times[index] ?? first), value === undefined ? undefined : y(value)]);
  const point = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    onPoint(nearest(times, first + ((event.clientX - box.left) / box.width) * (last - first)));
  };
  return (
    <div aria-hidden className="grid grid-cols-[auto_1fr] gap-x-2 text-[0.6875rem] text-muted tabular-nums">
      <div className="relative h-36 text-right">
        {/* As wide as its widest label. */}
        <span className="invisible">{longest(ticks.map(format))}</span>
        {ticks.map((value) => (
          <span key={value} className="absolute right-0 -translate-y-1/2" style={{ top: `${(100 * y(value)) / HEIGHT}%` }}>
            {format(value)}
          </span>
        ))}
      </div>
      <svg
        className="h-36 w-full overflow-visible"
        preserveAspectRatio="none"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        onPointerMove={point}
        onPointerLeave={() => onPoint(undefined)}
      >
        {/* Gaps between lines would not tell of the pointer. */}
        <rect width={WIDTH} height={HEIGHT} fill="transparent" />
        {ticks.map((value) => (
          <line key={value} x2={WIDTH} y1={y(value)} y2={y(value)} className="stroke-line" vectorEffect="non-scaling-stroke" />
        ))}
        {series.map(({ label, values, tone }) => (
          <SeriesPath key={label} points={pointsOf(values)} zero={y(0)} tone={tone} />
        ))}
        {pointed !== undefined && (
          <line x1={x(times[pointed] ?? last)} x2={x(times[pointed] ?? last)} y2={HEIGHT} className="stroke-muted" vectorEffect="non-scaling-stroke" />
        )}
      </svg>
      <span />
      <div className="mt-1.5 flex justify-between">
        <span>{formatClock(first)}</span>
        {pointed !== undefined && <span className="text-ink">{formatClock(times[pointed] ?? last)}</span>}
        <span>{formatClock(last)}</span>
      </div>
    </div>
  );
}

type Point = [x: number, y: number | undefined];

function SeriesPath({ points, zero, tone }: { points: readonly Point[]; zero: number; tone: Series["tone"] }) {
  const known = ([, value]: Point) => value !== undefined;
  const height = ([, value]: Point) => value ?? zero;
  const across = ([value]: Point) => value;
  const outline = line<Point>().defined(known).x(across).y(height)([...points]);
  const surface = area<Point>().defined(known).x(across).y0(zero).y1(height)([...points]);
  return (
    <>
      <path d={surface ?? undefined} className={FILLS[tone]} />
      {/* The second line of a chart differs by more than its colour. */}
      <path
        d={outline ?? undefined}
        className={clsx("fill-none stroke-[1.5]", STROKES[tone])}
        strokeDasharray={tone === "bad" ? "4 3" : undefined}
        strokeLinejoin="round"
        vectorEffect="non-scaling-stroke"
      />
    </>
  );
}

const textOf = (value: number | undefined, format: (value: number) => string) => (value === undefined ? "–" : format(value));

/** At least one, so that a quiet line lies at the bottom rather than in the middle. */
const greatest = (series: readonly Series[]) => Math.max(1, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)));

const longest = (texts: readonly string[]) => texts.reduce((long, text) => (text.length > long.length ? text : long), "");

function nearest(times: readonly number[], wanted: number): number {
  let best = 0;
  for (const [index, time] of times.entries()) {
    if (Math.abs(time - wanted) < Math.abs((times[best] ?? 0) - wanted)) best = index;
  }
  return best;
}
