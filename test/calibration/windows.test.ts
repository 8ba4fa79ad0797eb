import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interleaveWindows, sampleWindows, splitWindows, windowCount } from "../../src/calibration/windows.ts";
import { parseConfig } from "../../src/model/config/parse-config.ts";
import type { TokenWindows } from "../../src/model/spec/token-windows.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";

/** Token ids that say where they stand: `from`, `from` + 1, … */
const count = (from: number, length: number): number[] => Array.from({ length }, (_, i) => from + i);
const rows = ({ ids, count: n, length }: TokenWindows): number[][] =>
  Array.from({ length: n }, (_, row) => [...ids.subarray(row * length, (row + 1) * length)]);

test("every window is a stretch of one stream", () => {
  const windows = sampleWindows([count(0, 500), count(1000, 500)], { count: 20, length: 16, seed: 1 });
  for (const row of rows(windows)) expect(row).toEqual(count(row[0]!, 16));
  expect(windows.ids).toHaveLength(20 * 16);
});

test("the same seed gives the same windows, another seed others", () => {
  const sample = (seed: number): Int32Array => sampleWindows([count(0, 5000)], { count: 8, length: 32, seed }).ids;
  expect(sample(3)).toEqual(sample(3));
  expect(sample(3)).not.toEqual(sample(4));
});

test("BOS stands before each window and adds one token to it", () => {
  const windows = sampleWindows([count(10, 100)], { count: 4, length: 8, seed: 0, bos: 2 });
  expect(windows.length).toBe(9);
  for (const row of rows(windows)) {
    expect(row[0]).toBe(2);
    expect(row.slice(1)).toEqual(count(row[1]!, 8));
  }
});

test("windows do not overlap while the text lasts, whatever the numbers", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 30 }),
      fc.nat(100),
      fc.nat(),
      (n, length, slack, seed) => {
        const windows = sampleWindows([count(0, n * length + slack)], { count: n, length, seed });
        expect(new Set(windows.ids).size).toBe(n * length);
      },
    ),
  );
});

test("a text that is short for so many windows gives overlapping ones, all different", () => {
  const windows = sampleWindows([count(0, 100)], { count: 20, length: 16, seed: 5 });
  expect(new Set(rows(windows).map((row) => row[0])).size).toBe(20);
});

test("each file gives as many windows as the others, and a short one as many as it can", () => {
  const streams = [count(0, 100_000), count(200_000, 1000), count(300_000, 16)];
  const windows = sampleWindows(streams, { count: 64, length: 16, seed: 0 });
  const from = (low: number, high: number): number =>
    rows(windows).filter((row) => row[0]! >= low && row[0]! < high).length;
  expect([from(0, 200_000), from(200_000, 300_000), from(300_000, 400_000)]).toEqual([32, 31, 1]);
});

test("too little text is refused with the tokens there are and the tokens needed", () => {
  const sample = (): TokenWindows => sampleWindows([[1, 2, 3]], { count: 128, length: 512, seed: 0 });
  expect(sample).toThrow("has 3 tokens; 128 windows of 512 need 16384");
});

test("held-out windows are the ones that development has not", () => {
  const windows = sampleWindows([count(0, 1000)], { count: 10, length: 16, seed: 0 });
  const { development, heldOut } = splitWindows(windows, 3);
  expect([...rows(development), ...rows(heldOut)]).toEqual(rows(windows));
  expect(heldOut.count).toBe(3);
  expect(() => splitWindows(windows, 10)).toThrow("cannot hold out 10 of 10");
});

test("two sets are interleaved, the fewer spread evenly among the others", () => {
  const set = (from: number, windows: number): TokenWindows => ({
    ids: Int32Array.from(count(from, 2 * windows)),
    count: windows,
    length: 2,
  });
  const firstOf = (many: number, few: number): number[] =>
    rows(interleaveWindows(set(0, many), set(100, few))).map(([id]) => id!);
  expect(firstOf(4, 2)).toEqual([0, 2, 100, 4, 6, 102]);
  expect(firstOf(2, 2)).toEqual([0, 100, 2, 102]);
  expect(firstOf(3, 0)).toEqual([0, 2, 4]);
});

describe("the number of windows", () => {
  const config = readJsonFixture<Record<string, unknown>>("tiny", "llama", "config.json");
  const windows = (width: number, { samples, context = 256 }: { samples?: number; context?: number } = {}): number =>
    windowCount(parseConfig({ ...config, intermediate_size: width }), { samples, context });

  test("grows with the width, between 16,384 and 65,536 tokens", () => {
    expect([64, 512, 1536, 2048, 11008].map((width) => windows(width))).toEqual([64, 64, 144, 192, 256]);
  });

  test("is smaller for longer windows", () => {
    expect(windows(1536, { context: 512 })).toBe(72);
    expect(windows(1536, { context: 1000 })).toBe(37);
  });

  test("is what is asked for", () => {
    expect(windows(1536, { samples: 7, context: 512 })).toBe(7);
  });
});
