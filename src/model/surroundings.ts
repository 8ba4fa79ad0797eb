// A model whose text part alone is looked at: images or sounds enter beside the text, and what deals with them stays as it is.
import { type Checkpoint, rowCountOf, type TensorInfo } from "../checkpoint/checkpoint.ts";
import { isFloatDtype } from "../checkpoint/dtype.ts";
import type { TensorWriter } from "../checkpoint/tensor-writer.ts";
import type { TensorPlan } from "../checkpoint/write-safetensors.ts";
import { CompError } from "../errors.ts";
import { isObject, type ModelConfig } from "./config/config-fields.ts";

/** Bytes of a tensor in memory at once. */
const TILE_BYTES = 32 * 2 ** 20;

/** The field of config.json that has the text part's own configuration. */
const TEXT_CONFIG = "text_config";

export interface Surroundings {
  /** config.json as a whole. */
  readonly config: ModelConfig;
  /** What the whole calls a tensor of the text part. */
  readonly nameOf: (name: string) => string;
  /** The tensors of everything else. */
  readonly tensors: readonly TensorInfo[];
}

/** Fields of the whole that hold for its text part too, whatever that says itself. */
const SHARED_FIELDS: readonly string[] = ["tie_word_embeddings", "dtype", "torch_dtype"];

const sharedFields = (config: ModelConfig): [string, unknown][] =>
  Object.entries(config).filter(([key, value]) => SHARED_FIELDS.includes(key) && value !== null);

/** The configuration of a model's text part; undefined where a model is nothing but text. */
export function textConfig(config: ModelConfig): ModelConfig | undefined {
  const text = config[TEXT_CONFIG];
  return isObject(text) ? { ...text, ...Object.fromEntries(sharedFields(config)) } : undefined;
}

/** config.json of the whole with another configuration of the text part; what the two share changes in both. */
export function withTextConfig({ config }: Surroundings, text: ModelConfig): ModelConfig {
  const before = config[TEXT_CONFIG] as ModelConfig;
  const outer = sharedFields(config).map(([key, value]) => [key, text[key] ?? value] as const);
  const stays = (key: string): boolean => key !== "architectures" && !outer.some(([name]) => name === key);
  const own = Object.entries(text).filter(([key]) => key in before || stays(key));
  return { ...config, ...Object.fromEntries(outer), [TEXT_CONFIG]: Object.fromEntries(own) };
}

/** The other tensors as they are written. @throws {CompError} "architecture" for a type that is not written */
export const planSurroundings = ({ tensors }: Surroundings): TensorPlan[] =>
  tensors.map(({ name, shape, dtype }) => {
    if (isFloatDtype(dtype)) return { name, shape, dtype };
    throw new CompError("architecture", `"${name}" beside the text part is of type ${dtype}, which is not written`);
  });

/** Copies the other tensors byte for byte. */
export async function copySurroundings(
  { tensors }: Surroundings,
  checkpoint: Checkpoint,
  writer: TensorWriter,
): Promise<void> {
  for (const { name, shape, byteLength } of tensors) {
    const count = rowCountOf(shape);
    if (shape.length === 0 || byteLength === 0) {
      await writer.write(name, await checkpoint.read(name));
      continue;
    }
    const rows = Math.max(1, Math.floor((TILE_BYTES * count) / byteLength));
    for (let start = 0; start < count; start += rows)
      await writer.writeRowBytes(
        name,
        start,
        await checkpoint.readRowBytes(name, start, Math.min(count, start + rows)),
      );
  }
}
