import { expect, test } from "vitest";
import { keyGivenTwice, parseJson } from "../../src/checkpoint/json.ts";
import { describeValue } from "../../src/errors.ts";

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

test("a key given twice is found in the outermost object only, and never among values", () => {
  expect(keyGivenTwice('{"a": {"a": 1, "b": 2}, "b": ["a", "a"], "c": "a"}')).toBeUndefined();
  expect(keyGivenTwice('{"a": 1, "b": "c", "\\u0061": 2}')).toBe("a");
  expect(keyGivenTwice('{"\\"{": 1, "\\"{": 2}')).toBe('"{');
});

test.each<[unknown, string]>([
  ["a", '"a"'],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [2n ** 70n, "1180591620717411303424"],
  [["linear", 2, true], '["linear", 2, true]'],
  [[[1]], "a list"],
  [{ a: 1 }, "an object"],
])("%o is shown as %s", (value, shown) => expect(describeValue(value)).toBe(shown));
