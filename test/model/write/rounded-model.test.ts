// A rounded model against the file that it stands for, written and read back.
import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openModel } from "../../../src/model/model.ts";
import { modelTensors } from "../../../src/model/spec/tensor-names.ts";
import type { Mixture } from "../../../src/model/write/mixtures.ts";
import { roundedBytes, roundedModel } from "../../../src/model/write/rounded-model.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { DEMO_MODEL } from "../../helpers/built.ts";
import { copyToGguf } from "../../helpers/copy-to-gguf.ts";
import { tinyPath } from "../../helpers/fixtures.ts";
import { temporaryFolder } from "../../helpers/temporary.ts";
import { withTinyTokenizer } from "../../helpers/tiny-tokenizer.ts";

test.each<[family: string, mixture: Mixture]>([
  ["demo", "q4_k_m"],
  ["demo", "q2_k"],
  ["demo", "f16"],
  ["llama-tied", "q8_0"],
  ["phi3", "q5_0"],
  ["starcoder2", "q8_0"],
])("%s in %s has the values and the size of the file", async (family, mixture) => {
  const folder = temporaryFolder();
  const source = await openModel(
    family === "demo" ? await openPath(DEMO_MODEL) : withTinyTokenizer(await openPath(tinyPath(family))),
  );
  const path = join(folder, "model.gguf");
  await copyToGguf(source, path, mixture);
  const written = await openModel(await openPath(path));
  const rounded = roundedModel(source, mixture);
  for (const { name } of modelTensors(source.spec))
    expect(await rounded.read(name), name).toEqual(await written.read(name));
  expect(await roundedBytes(source, mixture)).toBe(statSync(path).size);
});

test("some rows are the same as those of the whole", async () => {
  const rounded = roundedModel(await openModel(await openPath(DEMO_MODEL)), "q4_k_m");
  const name = "model.embed_tokens.weight";
  const rowSize = rounded.spec.hiddenSize;
  expect(await rounded.readRows(name, 5, 7)).toEqual((await rounded.read(name)).subarray(5 * rowSize, 7 * rowSize));
});
