import { expect, test } from "vitest";
import { codeHash } from "../../src/node/code-hash.ts";

test("the code has one hash, of sixteen characters", () => {
  expect(codeHash()).toMatch(/^[0-9a-f]{16}$/);
  expect(codeHash()).toBe(codeHash());
});
