import { expect, test } from "vitest";
import { openFolder } from "../../src/checkpoint/open-checkpoint.ts";
import { compError } from "../helpers/errors.ts";
import { memoryFolder } from "../helpers/memory.ts";
import { safetensorsBytes } from "../helpers/safetensors-bytes.ts";

const WEIGHTS = safetensorsBytes({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, 4);
const ADAPTER = '{"base_model_name_or_path": "owner/base", "peft_type": "LORA"}';
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 4468664\n`;

test.each<[string, Record<string, Uint8Array | string>, string, string]>([
  [
    "the root of a hub cache, whose current revision is known",
    { "blobs/x": "", "refs/main": "def\n", "snapshots/abc/config.json": "{}", "snapshots/def/config.json": "{}" },
    "m is the root of a download cache; a model of it is in snapshots/",
    "give m/snapshots/def",
  ],
  [
    "the root of a hub cache",
    { "blobs/x": "", "snapshots/abc/config.json": "{}", "snapshots/def/config.json": "{}" },
    "m is the root of a download cache; a model of it is in snapshots/",
    "give m/snapshots/abc or m/snapshots/def",
  ],
  [
    "a whole hub cache",
    { "models--a--b/refs/main": "", "models--c--d/refs/main": "", "version.txt": "1" },
    "m is a download cache, not a model",
    "give one of the snapshots in it: m/models--a--b/snapshots/… or m/models--c--d/snapshots/…",
  ],
  [
    "a folder of models",
    { "a/config.json": "{}", "a/model.safetensors": "", "b/notes.txt": "" },
    "m has no *.safetensors",
    "give m/a",
  ],
  [
    "a folder of GGUF files",
    { "q4.gguf": "", "q8.gguf": "" },
    "m has no *.safetensors",
    "the GGUF file itself: q4.gguf",
  ],
  [
    "a LoRA adapter",
    { "adapter_config.json": ADAPTER, "adapter_model.safetensors": WEIGHTS, "tokenizer.json": "{}" },
    "m is a LoRA adapter, not a model",
    "merge it into owner/base first: merge_and_unload of peft does",
  ],
  [
    "a LoRA adapter beside a configuration, as PyTorch stores it",
    { "adapter_config.json": "{}", "adapter_model.bin": "", "config.json": "{}", "training_args.bin": "" },
    "m is a LoRA adapter, not a model",
    "merge it into its base model first",
  ],
  [
    "PyTorch weights",
    { "config.json": "{}", "pytorch_model-00001-of-00002.bin": "", "training_args.bin": "", "all.bin": "" },
    "m has no *.safetensors, only pytorch_model-00001-of-00002.bin",
    "save_pretrained",
  ],
  ["Meta's own weights", { "consolidated.00.pth": "", "params.json": "{}" }, "only consolidated.00.pth", "PyTorch"],
  ["TensorFlow weights", { "tf_model.h5": "" }, "only tf_model.h5", "from_tf=True"],
  ["Flax weights", { "flax_model.msgpack": "" }, "only flax_model.msgpack", "from_flax=True"],
  [
    "a git-lfs pointer to the weights",
    { "config.json": "{}", "model.safetensors": POINTER },
    "m/model.safetensors is a git-lfs pointer, not the file itself",
    "git lfs pull",
  ],
  [
    "a git-lfs pointer to one shard",
    {
      "model.safetensors.index.json": '{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}',
      "1.safetensors": WEIGHTS,
      "2.safetensors": POINTER,
    },
    "m/2.safetensors is a git-lfs pointer, not the file itself",
    "git lfs pull",
  ],
])("%s is told as what it is", async (_, files, message, hint) => {
  const error = await compError(openFolder(memoryFolder(files, [], "m")));
  expect([error.kind, error.message, error.hint]).toEqual([
    "checkpoint",
    expect.stringContaining(message),
    expect.stringContaining(hint),
  ]);
});

test("an adapter's configuration beside a whole model does no harm", async () => {
  const files = { "adapter_config.json": ADAPTER, "model.safetensors": WEIGHTS };
  expect((await openFolder(memoryFolder(files))).tensors.size).toBe(1);
});

test.each(["config.json", "tokenizer.json"])("a pointer instead of %s is told when it is read", async (file) => {
  const opening = openFolder(memoryFolder({ "model.safetensors": WEIGHTS, [file]: POINTER }));
  expect((await compError(opening.then((checkpoint) => checkpoint.readText(file)))).message).toBe(
    `model/${file} is a git-lfs pointer, not the file itself`,
  );
});
