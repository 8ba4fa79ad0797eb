import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama } from "node-llama-cpp";
import { describe, expect, test } from "vitest";
import { openPath } from "../../src/node/open-path.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { ROOT } from "../helpers/built.ts";

const MODELS = process.env.COMP_MODELS ?? join(tmpdir(), "comp-acceptance");
const TEXTS = join(process.env.COMP_SHARED ?? join(ROOT, "../shared"), "data");
const BYTES = 200_000;

const models = existsSync(MODELS) ? readdirSync(MODELS).filter((file) => file.endsWith(".gguf")) : [];
const folders = existsSync(TEXTS)
  ? readdirSync(TEXTS, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  : [];
const missing = models.length === 0 ? "no GGUF models here" : folders.length === 0 ? "no shared texts here" : undefined;

/** The first 200 kB of a folder's first file, not cut inside a character. */
function textOf(folder: string): string {
  const file = readdirSync(join(TEXTS, folder))[0]!;
  const bytes = readFileSync(join(TEXTS, folder, file)).subarray(0, BYTES);
  return new TextDecoder().decode(bytes).replace(/\uFFFD+$/, "");
}

describe.skipIf(missing)(`token ids are those of llama.cpp${missing ? ` (${missing})` : ""}`, () => {
  test.each(models.length === 0 ? ["no model"] : models)(
    "%s",
    async (file) => {
      const llama = await getLlama({ gpu: false, build: "never" });
      const theirs = await llama.loadModel({ modelPath: join(MODELS, file), vocabOnly: true });
      const checkpoint = await openPath(join(MODELS, file));
      const ours = await openTokenizer(checkpoint);
      for (const { name } of folders) {
        const text = textOf(name);
        expect(ours.encode(text).join(), name).toBe(theirs.tokenize(text, true).join());
      }
      await checkpoint.close();
      await llama.dispose();
    },
    300_000,
  );
});
