import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  // Relative addresses: the server knows the path it is served below only when it starts.
  base: "./",
  build: { outDir: "dist/client", emptyOutDir: true, assetsInlineLimit: 0 },
  test: {
    // Generous: the suite also runs on two busy cores.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      { extends: true, test: { name: "server", environment: "node", include: ["tests/server/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "spa",
          environment: "jsdom",
          include: ["tests/spa/**/*.test.tsx"],
          setupFiles: ["tests/spa/setup.ts"],
        },
      },
    ],
  },
});
