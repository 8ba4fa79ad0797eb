import { expect, test } from "vitest";
import { safeCuts } from "../../../src/tokenizer/encode/split-long-text.ts";

const cut = safeCuts({ ab: 0, bc: 1, "😀a": 2, x: 3 }, (character) => character === "?");

test("a long text is cut between characters that are adjacent in no piece, and nowhere else", () => {
  expect(cut("abcabcxab😀abc😀b")).toEqual(["abc", "abc", "x", "ab", "😀abc", "😀", "b"]);
});

test("a short text stays whole", () => expect(cut("xxxxxxxxxxxxxxxx")).toEqual(["xxxxxxxxxxxxxxxx"]));

test("characters that are to be kept together are", () => {
  expect(cut("x??x?xxxxxxxxxxx??")).toEqual(["x", "??", "x", "?", ..."xxxxxxxxxxx", "??"]);
});
