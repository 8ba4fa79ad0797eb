import { expect, test } from "vitest";
import { editDistance, nearest } from "../../src/cli/misspelt.ts";

// distances counted by hand
test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["kitten", "sitting", 3],
  ["sparcity", "sparsity", 1],
  ["flaw", "lawn", 2],
])("%j is %s edits away: %d", (a, b, distance) => expect(editDistance(a, b)).toBe(distance));

test("the closest word wins, and nothing does when none is close", () => {
  expect(nearest("--sparcity", ["--samples", "--sparsity", "--sparsity-of"])).toBe("--sparsity");
  expect(nearest("--x", ["--samples", "--sparsity"])).toBeUndefined();
});
