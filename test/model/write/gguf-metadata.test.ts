import { describe, expect, test } from "vitest";
import type { Checkpoint, MetadataValue } from "../../../src/checkpoint/checkpoint.ts";
import { ggufValue } from "../../../src/checkpoint/gguf-bytes.ts";
import type { GgufMetadata } from "../../../src/checkpoint/write-gguf.ts";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { layoutFor } from "../../../src/model/gguf/layout.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import type { DecoderSpec } from "../../../src/model/spec/decoder-spec.ts";
import { type LayerSizes, resized } from "../../../src/model/spec/parts.ts";
import { modelTensors } from "../../../src/model/spec/tensor-names.ts";
import { ggufMetadata } from "../../../src/model/write/gguf-metadata.ts";
import { MIXTURES } from "../../../src/model/write/mixtures.ts";
import { countingTensors, memoryCheckpoint } from "../memory-checkpoint.ts";
import { SMALL_LLAMA } from "../small-llama.ts";

const tokenizer = { pre_tokenizer: { type: "ByteLevel" }, model: { type: "BPE", vocab: { a: 0 }, merges: [] } };

function folder(): Checkpoint {
  const shapes = Object.fromEntries(modelTensors(parseConfig(SMALL_LLAMA)).map(({ name, shape }) => [name, shape]));
  const checkpoint = memoryCheckpoint(countingTensors(shapes), { config: SMALL_LLAMA });
  return {
    ...checkpoint,
    name: "/models/mine/",
    readText: async (file) => (file === "tokenizer.json" ? JSON.stringify(tokenizer) : checkpoint.readText(file)),
  };
}

/** The metadata of the folder's model with `changes` to its layers. */
async function metadata(...changes: Partial<LayerSizes>[]): Promise<GgufMetadata> {
  const source: Model = await openModel(folder());
  const layers = source.spec.layers.map((layer, index) => resized(layer, changes[index] ?? {}));
  const spec: DecoderSpec = { ...source.spec, layers };
  return ggufMetadata(source, spec, layoutFor(spec), MIXTURES.f16.fileType);
}

describe("the metadata of a model from a folder", () => {
  test("names it, says its sizes and brings its tokenizer", async () => {
    const found = await metadata();
    expect(found.get("general.architecture")).toEqual(ggufValue("string", "llama"));
    expect(found.get("general.name")).toEqual(ggufValue("string", "mine"));
    expect(found.get("general.file_type")).toEqual(ggufValue("u32", 1));
    // 2 layers of 2 · 16² (q, o) + 2 · 8 · 16 (k, v) + 3 · 24 · 16 (MLP) + 2 · 16 (norms), 2 · 10 · 16 + 16 outside: 4240
    expect(found.get("general.size_label")).toEqual(ggufValue("string", "4.2K"));
    expect(found.get("llama.feed_forward_length")).toEqual(ggufValue("u32", 24));
    expect(found.get("llama.attention.key_length")).toEqual(ggufValue("u32", 8));
    expect(found.get("tokenizer.ggml.model")).toEqual(ggufValue("string", "gpt2"));
  });

  test("lists the sizes of each layer for deci, and the layers whose zeros are no part of the model", async () => {
    const found = await metadata({ numAttentionHeads: 0, numKeyValueHeads: 0 }, { intermediateSize: 0 });
    expect(found.get("deci.attention.head_count")).toEqual(ggufValue("i32", [1, 2]));
    expect(found.get("deci.attention.head_count_kv")).toEqual(ggufValue("i32", [1, 1]));
    expect(found.get("deci.feed_forward_length")).toEqual(ggufValue("i32", [24, 32]));
    expect(found.get("comp.idle.attention")).toEqual(ggufValue("i32", [0]));
    expect(found.get("comp.idle.mlp")).toEqual(ggufValue("i32", [1]));
  });

  test("says nothing of absent sublayers where there are none", async () => {
    expect([...(await metadata()).keys()].filter((key) => key.startsWith("comp."))).toEqual([]);
  });
});

describe("the metadata of a model from a GGUF file", () => {
  test("is carried over as it is stored, without what describes the file", async () => {
    const stored = new Map<string, MetadataValue>([
      ["general.architecture", "llama"],
      ["llama.own", 7],
      ["tokenizer.ggml.model", "gpt2"],
      ["quantize.imatrix.file", "x"],
      ["comp.source.name", "y"],
    ]);
    const source = await openModel(folder());
    const checkpoint: Checkpoint = {
      ...source.checkpoint,
      format: "gguf",
      metadata: stored,
      readMetadata: async (key) => new TextEncoder().encode(`stored ${key}`),
    };
    const spec = {
      ...source.spec,
      layers: source.spec.layers.map((layer, i) => resized(layer, { intermediateSize: 8 + i })),
    };
    const found = await ggufMetadata({ ...source, checkpoint }, spec, layoutFor(spec), MIXTURES.f32.fileType);
    expect(new TextDecoder().decode(found.get("deci.own"))).toBe("stored llama.own");
    expect(new TextDecoder().decode(found.get("tokenizer.ggml.model"))).toBe("stored tokenizer.ggml.model");
    expect(found.get("general.architecture")).toEqual(ggufValue("string", "deci"));
    for (const key of ["quantize.imatrix.file", "comp.source.name", "llama.own"]) expect(found.has(key)).toBe(false);
  });
});
