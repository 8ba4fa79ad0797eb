import { expect, test } from "vitest";
import { renderInspection } from "../../src/cli/inspect.ts";
import { openModel } from "../../src/model/model.ts";
import { openPath } from "../../src/node/open-path.ts";
import { inspectModel } from "../../src/tasks/inspect.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { tinyPath } from "../helpers/fixtures.ts";

test("tokens that the model has no embedding for are counted", async () => {
  const model = await openModel(await openPath(tinyPath("llama")));
  const tokenizer = await openTokenizer((await openModel(await openPath(DEMO_MODEL))).checkpoint);
  const inspection = inspectModel(model, tokenizer);
  expect(inspection.tokenizer?.withoutEmbedding).toBe(tokenizer.vocabSize - model.spec.vocabSize);
  expect(renderInspection(inspection).join()).toContain("2,048 tokens, 1,952 of them with no embedding");
});
