import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Checkpoint } from "../../../src/checkpoint/checkpoint.ts";
import { openFolder } from "../../../src/checkpoint/open-checkpoint.ts";
import { checkCompanions, copyCompanions } from "../../../src/model/write/companions.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { stageFolder } from "../../../src/node/output-folder.ts";
import { compError } from "../../helpers/errors.ts";
import { fixturePath } from "../../helpers/fixtures.ts";
import { memoryFolder, memoryOutput } from "../../helpers/memory.ts";
import { safetensorsBytes } from "../../helpers/safetensors-bytes.ts";
import { temporaryFolder } from "../../helpers/temporary.ts";

const WEIGHTS = safetensorsBytes({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, 4);
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 499723\n`;

const folder = (files: Record<string, Uint8Array | string>): Promise<Checkpoint> =>
  openFolder(memoryFolder({ "model.safetensors": WEIGHTS, ...files }));

const named = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `{"${name}": 1}`]));

describe("a folder's companions", () => {
  const kept = [
    "LICENSE",
    "NOTICE.txt",
    "USE_POLICY.md",
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
    "merges.txt",
    "preprocessor_config.json",
    "spiece.model",
    "tekken.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "additional_chat_templates/rag.jinja",
    "additional_chat_templates/tool_use.jinja",
    "custom_generate/generate.py",
  ];
  const left = [
    ".gitattributes",
    ".cache/huggingface/x.metadata",
    "README.md",
    "checkpoint-500/tokenizer.json",
    "config.json",
    "consolidated.00.pth",
    "flax_model.msgpack",
    "model.onnx",
    "model.onnx_data",
    "model.q4.gguf",
    "modeling_comp.py",
    "optimizer.pt",
    "original/tokenizer.model",
    "params.json",
    "pruning.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "readme.md",
    "tf_model.h5",
    "train.py",
  ];

  test("are all that is no weight and no index, byte for byte", async () => {
    const bytes = Uint8Array.of(10, 14, 10, 0, 255, 254);
    const files = { ...named([...kept, ...left]), "tokenizer.model": bytes };
    const output = memoryOutput();
    expect(await copyCompanions(output, await folder(files))).toEqual(kept);
    expect(Object.keys(output.files)).toEqual(kept);
    expect(output.files["tokenizer.model"]).toEqual(bytes);
    expect(new TextDecoder().decode(output.files["additional_chat_templates/rag.jinja"])).toBe(
      '{"additional_chat_templates/rag.jinja": 1}',
    );
  });

  test.each(["config.json", "tokenizer_config.json", "processor_config.json"])(
    "are its code too, where %s names classes of it",
    async (file) => {
      const checkpoint = await folder({
        "modeling_mine.py": "1",
        "modeling_comp.py": "2",
        [file]: '{"auto_map": {"AutoTokenizer": ["a.B", null]}}',
      });
      expect(await copyCompanions(memoryOutput(), checkpoint)).toContain("modeling_mine.py");
      expect(await copyCompanions(memoryOutput(), checkpoint)).not.toContain("modeling_comp.py");
    },
  );

  test("of a GGUF file are none", async () => {
    const checkpoint = await openPath(fixturePath("sample.gguf"));
    expect(await copyCompanions(memoryOutput(), checkpoint)).toEqual([]);
    await checkpoint.close();
  });
});

test("a companion that was not downloaded is told before the work", async () => {
  const pointer = await compError(checkCompanions(await folder({ "tokenizer.model": POINTER })));
  expect(pointer.message).toBe("model/tokenizer.model is a git-lfs pointer, not the file itself");
  const place = temporaryFolder();
  writeFileSync(join(place, "model.safetensors"), WEIGHTS);
  symlinkSync("../nowhere", join(place, "LICENSE"));
  const checkpoint = await openPath(place);
  expect((await compError(checkCompanions(checkpoint))).message).toBe(`${join(place, "LICENSE")} does not exist`);
  await checkpoint.close();
});

test("on the disk subfolders are made, linked ones followed", async () => {
  const place = temporaryFolder();
  mkdirSync(join(place, "source"));
  mkdirSync(join(place, "elsewhere"));
  writeFileSync(join(place, "source", "model.safetensors"), WEIGHTS);
  writeFileSync(join(place, "elsewhere", "tool_use.jinja"), "{{ tools }}");
  symlinkSync("../elsewhere", join(place, "source", "additional_chat_templates"));
  const checkpoint = await openPath(join(place, "source"));
  const output = await stageFolder(join(place, "out"), { overwrite: false });
  expect(await copyCompanions(output, checkpoint)).toEqual(["additional_chat_templates/tool_use.jinja"]);
  expect(await output.staged.subfolders()).toEqual(["additional_chat_templates"]);
  expect(await output.staged.list("additional_chat_templates")).toEqual(["tool_use.jinja"]);
  await expect(output.create("../out.txt")).rejects.toThrow(RangeError);
  await output.discard();
  await checkpoint.close();
});
