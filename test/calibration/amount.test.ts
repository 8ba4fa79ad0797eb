import { expect, test } from "vitest";
import { windowCount } from "../../src/calibration/amount.ts";
import { pruneOptions } from "../../src/method/presets.ts";
import { parseConfig } from "../../src/model/config/parse-config.ts";
import { readJsonFixture } from "../helpers/fixtures.ts";

const config = readJsonFixture<Record<string, unknown>>("tiny", "llama", "config.json");
const windows = (width: number, options: object = {}): number =>
  windowCount(parseConfig({ ...config, intermediate_size: width }, "config.json"), pruneOptions(options));

test("a wider model gets more text, between 16,384 and 65,536 tokens", () => {
  expect([64, 512, 1536, 2048, 11008].map((width) => windows(width))).toEqual([64, 64, 144, 192, 256]);
});

test("longer windows are fewer", () => {
  expect(windows(1536, { context: 512 })).toBe(72);
  expect(windows(1536, { context: 1000 })).toBe(37);
});

test("as many as are asked for", () => {
  expect(windows(1536, { samples: 7, context: 512 })).toBe(7);
});
