// A checkpoint as a model: its configuration parsed, its tensors checked and read under their Hugging Face names, whatever the
// file format calls them and however it stores their values.
import type { Checkpoint, TensorInfo } from "../checkpoint/checkpoint.ts";
import { parseJson } from "../checkpoint/json.ts";
import { CompError } from "../errors.ts";
import { isObject, type ModelConfig } from "./config/config-fields.ts";
import { parseConfig } from "./config/parse-config.ts";
import { GGUF_SOURCE, readGgufConfig } from "./gguf/read-config.ts";
import { readHeadRows } from "./gguf/row-order.ts";
import { isTied, type LocatedTensor, locateTensors } from "./locate-tensors.ts";
import type { DecoderSpec } from "./spec/decoder-spec.ts";

export interface Model {
  readonly checkpoint: Checkpoint;
  /** config.json as transformers has it, also for a GGUF file; true to the weights where they say otherwise. */
  readonly config: ModelConfig;
  readonly spec: DecoderSpec;
  /** Every tensor of the model by its Hugging Face name; `dtype` and `byteLength` are those of the source. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Whole tensor as f32, row-major. @throws {CompError} "numeric" when a value is not finite. */
  read(name: string): Promise<Float32Array>;
  /** Rows [start, end) of the first dimension as f32. @throws {CompError} "numeric" when a value is not finite. */
  readRows(name: string, start: number, end: number): Promise<Float32Array>;
}

/**
 * The model in a checkpoint, which stays the caller's to close.
 * @throws {CompError} "architecture" when it is not supported, "checkpoint" when configuration and tensors disagree.
 */
export async function openModel(checkpoint: Checkpoint): Promise<Model> {
  const gguf = checkpoint.format === "gguf";
  const stated = gguf ? await readGgufConfig(checkpoint) : await readConfig(checkpoint);
  const source = gguf ? GGUF_SOURCE : "config.json";
  const parsed = parseConfig(stated, source);
  const tiedEmbeddings = await isTied(checkpoint, parsed);
  const spec = { ...parsed, tiedEmbeddings };
  const config = tiedEmbeddings === parsed.tiedEmbeddings ? stated : { ...stated, tie_word_embeddings: tiedEmbeddings };
  const located = locateTensors(checkpoint, spec, source);
  const find = (name: string): LocatedTensor => {
    const tensor = located.get(name);
    if (tensor === undefined) throw new CompError("checkpoint", `${checkpoint.name} has no tensor "${name}"`);
    return tensor;
  };
  return {
    checkpoint,
    config,
    spec,
    tensors: new Map([...located].map(([name, { info }]) => [name, info])),
    read: async (name) => readRows(checkpoint, spec, find(name), 0, find(name).info.shape[0]!),
    readRows: async (name, start, end) => readRows(checkpoint, spec, find(name), start, end),
  };
}

async function readConfig(checkpoint: Checkpoint): Promise<ModelConfig> {
  const text = await checkpoint.readText("config.json");
  if (text === undefined)
    throw new CompError("checkpoint", `${checkpoint.name} has no config.json`, {
      hint: "give a model folder as Hugging Face has it: config.json beside *.safetensors",
    });
  const config = parseJson(text, `config.json of ${checkpoint.name}`);
  if (isObject(config)) return config;
  throw new CompError("checkpoint", `config.json of ${checkpoint.name} is not a JSON object`);
}

async function readRows(
  checkpoint: Checkpoint,
  spec: DecoderSpec,
  { info, storedName, interleaved, storedOffset }: LocatedTensor,
  start: number,
  end: number,
): Promise<Float32Array> {
  const values = interleaved
    ? await readHeadRows(checkpoint, storedName, spec.headDim, start, end)
    : await checkpoint.readRows(storedName, start, end);
  if (storedOffset !== 0) for (let i = 0; i < values.length; i++) values[i] = values[i]! - storedOffset;
  checkFinite(info, values, start);
  return values;
}

/** Weights that are not finite would make everything computed from them NaN, without a hint where it began. */
function checkFinite(info: TensorInfo, values: Float32Array, startRow: number): void {
  let sum = 0; // 0 · x is NaN exactly when x is not finite
  for (let i = 0; i < values.length; i++) sum += 0 * values[i]!;
  if (!Number.isNaN(sum)) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  const rowSize = info.shape.slice(1).reduce((product, size) => product * size, 1);
  const position = [startRow + Math.floor(at / rowSize), ...(info.shape.length > 1 ? [at % rowSize] : [])];
  throw new CompError("numeric", `${info.name} holds ${values[at]} at [${position.join(", ")}]`, {
    hint: "the checkpoint is damaged, or its training diverged",
  });
}
