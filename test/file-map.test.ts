import { expect, test } from "vitest";
import { readFileMap, renderFileMap } from "./helpers/file-map.ts";

test("the README's file map has every source file with its first sentence (npm run fix renews it)", () => {
  expect(readFileMap()).toBe(renderFileMap());
});
