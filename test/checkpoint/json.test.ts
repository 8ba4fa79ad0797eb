import { expect, test } from "vitest";
import { parseJson } from "../../src/checkpoint/json.ts";

test.each<[string, string]>([
  ['{"a": 1, "rope_theta": Infinity}', "config.json gives rope_theta as Infinity, which is no number of JSON"],
  ['{"a": "NaN", "b": -Infinity}', "config.json gives b as -Infinity, which is no number of JSON"],
  ['{"time_step_limit": [0.0, NaN], "c": 1}', "config.json gives time_step_limit as NaN, which is no number of JSON"],
  ['{"a": "say \\"Infinity\\": NaN", "b": NaN}', "config.json gives b as NaN, which is no number of JSON"],
  ["NaN", "config.json gives a value as NaN, which is no number of JSON"],
  ['{"a": "Infinity"', "config.json is not JSON"],
  ["", "config.json is not JSON"],
])("%s", (text, message) => {
  expect(() => parseJson(text, "config.json")).toThrow(expect.objectContaining({ kind: "checkpoint", message }));
});

test("strings that only look like numbers are strings", () => {
  expect(parseJson('{"a": "NaN", "Infinity": 1}', "x")).toEqual({ a: "NaN", Infinity: 1 });
});
