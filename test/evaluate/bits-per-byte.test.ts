import { expect, test } from "vitest";
import { bitsPerByte } from "../../src/evaluate/bits-per-byte.ts";
import { judgedWhole } from "../../src/evaluate/judged-windows.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";

const words = ["a", "bé", " cdef"];
const tokenizer: Tokenizer = {
  encode: () => [],
  decode: (ids) => ids.map((id) => words[id]).join(""),
  token: (id) => words[id],
  bosTokenId: undefined,
  eosTokenIds: [],
  addsBos: false,
  vocabSize: words.length,
};

test("bits of all targets go by the bytes of all tokens but the first of each window", () => {
  const windows = judgedWhole({ ids: Int32Array.of(0, 1, 2, 2, 0, 0), count: 2, length: 3 });
  // four targets of 3 bits each: "bé cdef" and "aa" are 8 and 2 bytes
  expect(bitsPerByte(8, windows, tokenizer)).toBeCloseTo(12 / 10, 12);
});

test("what is not judged counts neither in bits nor in bytes", () => {
  const windows = { ids: Int32Array.of(0, 1, 2, 2, 0, 0), count: 2, length: 3 };
  const judged = [
    { from: 2, end: 3 },
    { from: 1, end: 2 },
  ];
  // two targets of 3 bits: " cdef" and "a" are 5 and 1 bytes
  expect(bitsPerByte(8, { ...windows, judged }, tokenizer)).toBeCloseTo(6 / 6, 12);
});
