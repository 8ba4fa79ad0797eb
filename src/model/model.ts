// A checkpoint as a model: its configuration parsed, its tensors checked and read under the names of spec/tensor-names.ts, whatever
// the file calls them and however it stores their values.
import type { Checkpoint, TensorInfo } from "../checkpoint/checkpoint.ts";
import { parseJson } from "../checkpoint/json.ts";
import { CompError } from "../errors.ts";
import { isObject, type ModelConfig } from "./config/config-fields.ts";
import { parseConfig } from "./config/parse-config.ts";
import { GGUF_SOURCE, readGgufConfig } from "./gguf/read-config.ts";
import { isTied, type LocatedTensor, locateTensors, namesIn, storageOf } from "./locate-tensors.ts";
import type { DecoderSpec } from "./spec/decoder-spec.ts";
import { readPlaces, readPlacesAsStored } from "./storage/read-stored.ts";
import type { RowForm } from "./storage/stored-tensors.ts";
import { type Surroundings, textConfig } from "./surroundings.ts";

export interface Model {
  readonly checkpoint: Checkpoint;
  /** config.json as transformers has it, also for a GGUF file; true to the weights where they say otherwise. */
  readonly config: ModelConfig;
  readonly spec: DecoderSpec;
  /** What lies around it in the checkpoint, where it is the text part of a larger model; `config` is then the text part's. */
  readonly surroundings?: Surroundings | undefined;
  /** Every tensor of the model by its name in spec/tensor-names.ts; `dtype` and `byteLength` are those of the source. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Whole tensor as f32, row-major. @throws {CompError} "numeric" when a value is not finite. */
  read(name: string): Promise<Float32Array>;
  /** Rows [start, end) of the first dimension as f32. @throws {CompError} "numeric" when a value is not finite. */
  readRows(name: string, start: number, end: number): Promise<Float32Array>;
  /** How the rows of a tensor are stored; undefined where they cannot be copied as bytes. */
  rowForm(name: string): RowForm | undefined;
  /** Rows [start, end) as they are stored, in the order of `readRows`; for tensors that have a form. */
  readRowBytes(name: string, start: number, end: number): Promise<Uint8Array>;
}

/**
 * The model in a checkpoint, which stays the caller's to close.
 * @throws {CompError} "architecture" when it is not supported, "checkpoint" when configuration and tensors disagree.
 */
export async function openModel(checkpoint: Checkpoint): Promise<Model> {
  const gguf = checkpoint.format === "gguf";
  const whole = gguf ? await readGgufConfig(checkpoint) : await readConfig(checkpoint);
  const text = gguf ? undefined : textConfig(whole);
  const stated = text ?? whole;
  const source = gguf ? GGUF_SOURCE : "config.json";
  const parsed = parseConfig(stated, source);
  const tiedEmbeddings = await isTied(checkpoint, parsed);
  const spec = { ...parsed, tiedEmbeddings };
  const config = tiedEmbeddings === parsed.tiedEmbeddings ? stated : { ...stated, tie_word_embeddings: tiedEmbeddings };
  const { located, others } = locateTensors(checkpoint, spec, source, text !== undefined);
  const find = (name: string): LocatedTensor => {
    const tensor = located.get(name);
    if (tensor === undefined) throw new CompError("checkpoint", `${checkpoint.name} has no tensor "${name}"`);
    return tensor;
  };
  return {
    checkpoint,
    config,
    spec,
    surroundings: text && { config: whole, nameOf: namesIn(checkpoint, storageOf(checkpoint, spec)), tensors: others },
    tensors: new Map([...located].map(([name, { info }]) => [name, info])),
    read: async (name) => readRows(checkpoint, find(name), 0, find(name).info.shape[0]!),
    readRows: async (name, start, end) => readRows(checkpoint, find(name), start, end),
    rowForm: (name) => find(name).form,
    readRowBytes: async (name, start, end) => readPlacesAsStored(checkpoint, find(name).places, start, end),
  };
}

async function readConfig(checkpoint: Checkpoint): Promise<ModelConfig> {
  const text = await checkpoint.readText("config.json");
  if (text === undefined)
    throw new CompError("checkpoint", `${checkpoint.name} has no config.json`, {
      hint: "give a model folder as Hugging Face has it: config.json beside *.safetensors",
    });
  const config = parseJson(text, `config.json of ${checkpoint.name}`);
  if (isObject(config)) return withoutQuantization(config);
  throw new CompError("checkpoint", `config.json of ${checkpoint.name} is not a JSON object`);
}

/** A checkpoint gives quantized weights as their values: what is said of them holds neither for the model nor for one made of it. */
function withoutQuantization({ quantization_config: _, ...config }: ModelConfig): ModelConfig {
  return config;
}

async function readRows(
  checkpoint: Checkpoint,
  { info, places }: LocatedTensor,
  start: number,
  end: number,
): Promise<Float32Array> {
  const values = await readPlaces(checkpoint, places, start, end);
  checkFinite({ ...info, name: nameFor(places) }, values, start);
  return values;
}

/** What a person finds in the file: the tensor's own name there, or that of the one it is a part of. */
const nameFor = ([first]: LocatedTensor["places"]): string => first!.stored.name;

/**
 * Weights that are not finite would make everything computed from them NaN, without a hint where it began.
 * @throws {CompError} "numeric" naming the tensor and the place of the first
 */
export function checkFinite(info: TensorInfo, values: Float32Array, startRow: number): void {
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
