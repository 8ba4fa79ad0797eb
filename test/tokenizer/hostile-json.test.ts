// Tokenizer files that no honest program wrote: they make a tokenizer, or are refused in a line.
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { CompError } from "../../src/errors.ts";
import { openPath } from "../../src/node/open-path.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { tinyWithTokenizer } from "../helpers/small-models.ts";
import { sharedFolder } from "../helpers/temporary.ts";

const TOKENIZER = {
  added_tokens: [{ id: 3, content: "<s>", special: true }],
  normalizer: { type: "Sequence", normalizers: [{ type: "Replace", pattern: { String: "a" }, content: "b" }] },
  pre_tokenizer: { type: "Split", pattern: { Regex: "a+" }, behavior: "Isolated", invert: false },
  post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>" } }], special_tokens: {} },
  decoder: { type: "ByteLevel" },
  model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: [["a", "b"]], unk_token: null },
};

/** Every place in a value, outermost first. */
const pathsIn = (value: unknown): string[][] =>
  typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([key, inner]) => [[key], ...pathsIn(inner).map((path) => [key, ...path])]);

const replaced = (value: object, [key, ...rest]: readonly string[], by: unknown): object =>
  Object.assign(structuredClone(value), {
    [key!]: rest.length === 0 ? by : replaced((value as Record<string, object>)[key!]!, rest, by),
  });

const HOSTILE = [0, -1, "x", null, true, [], {}, [1], [[1]], [null], { a: 1 }, { type: "X" }, { type: 4 }];

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openPath(tinyWithTokenizer(sharedFolder(), "llama"));
});
afterAll(() => checkpoint.close());

test("each part of tokenizer.json replaced", async () => {
  const place = fc.constantFrom(...pathsIn(TOKENIZER));
  await fc.assert(
    fc.asyncProperty(place, fc.constantFrom<unknown>(...HOSTILE), async (path, value) => {
      const text = JSON.stringify(replaced(TOKENIZER, path, value));
      const readText = async (file: string) => (file === "tokenizer.json" ? text : checkpoint.readText(file));
      const opening = openTokenizer({ ...checkpoint, readText });
      await opening
        .then((tokenizer) => tokenizer.encode("ab ba"))
        .catch((error: unknown) => expect(error).toBeInstanceOf(CompError));
    }),
    { numRuns: 1000, seed: 20_261_130 },
  );
});
