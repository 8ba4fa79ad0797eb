import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { peakBytes } from "../../src/node/host.ts";

test("the peak covers what the process has held", () => {
  const before = peakBytes();
  const held = Buffer.alloc(2 ** 27, 1);
  expect(peakBytes()).toBeGreaterThanOrEqual(2 ** 27);
  expect(peakBytes()).toBeGreaterThanOrEqual(before);
  expect(held[0]).toBe(1);
});

test.skipIf(process.platform !== "linux")(
  "a small program started by a large one is small (skipped but on Linux)",
  () => {
    const held = Buffer.alloc(2 ** 28, 1);
    const read = `import { readFileSync } from "node:fs"; console.log(/VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "latin1"))[1])`;
    const own =
      1024 * Number(execFileSync(process.execPath, ["--input-type=module", "-e", read], { encoding: "utf8" }));
    expect(own).toBeLessThan(2 ** 27);
    expect(peakBytes()).toBeGreaterThan(2 ** 28);
    expect(held[0]).toBe(1);
  },
);
