// The classes of modelling files in transformers: they take every tensor, and compute what we do.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectedLogits } from "../../helpers/fixtures.ts";
import { forwardLogits } from "../../helpers/forward-logits.ts";
import { PYTHON } from "../../helpers/models.ts";
import { eventsOf } from "../../helpers/prune-demo.ts";
import { TINY_WINDOWS, tinyWithTokenizer } from "../../helpers/small-models.ts";
import { temporaryFolder } from "../../helpers/temporary.ts";
import { newOutput, withModel } from "../../helpers/written.ts";

/** A text part, and a family whose tensors transformers renames. */
const CLASSES = { "gemma3-vlm": "CompGemma3ForConditionalGeneration", "gpt-neox": "CompForCausalLM" };

interface Loaded {
  readonly name: string;
  readonly wrong: readonly string[];
  readonly logits: readonly (readonly number[])[];
}

test("a folder of layers that differ loads with trust_remote_code and gives our logits", async ({ skip }) => {
  skip(!existsSync(PYTHON), `${PYTHON} is absent`);
  const families = Object.keys(CLASSES);
  const ids = families.map((family) => expectedLogits(family).ids[0]!);
  const folders = families.map(() => newOutput());
  for (const [i, family] of families.entries()) {
    const model = tinyWithTokenizer(temporaryFolder(), family);
    await eventsOf({ ...TINY_WINDOWS, model, output: folders[i]!, preset: "flap", sparsity: 0.2, multipleOf: 1 });
  }
  const script = join(import.meta.dirname, "load-own-class.py");
  const { stdout, stderr, status } = spawnSync(PYTHON, [script, ...folders], { input: JSON.stringify(ids) });
  if (status !== 0) throw new Error(String(stderr));
  const loaded = JSON.parse(String(stdout)) as Loaded[];
  expect(loaded.map(({ name }) => name)).toEqual(Object.values(CLASSES));
  expect(loaded.flatMap(({ wrong }) => wrong)).toEqual([]);
  for (const [i, { logits }] of loaded.entries()) {
    const own = await withModel(folders[i]!, (model) => forwardLogits(model, ids[i]!));
    for (const [token, row] of own.entries())
      for (const [id, logit] of row.entries()) expect(logit).toBeCloseTo(logits[token]![id]!, 3);
  }
});
