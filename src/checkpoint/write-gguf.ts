// Writes a GGUF file of version 3: metadata and tensor descriptions first, then the tensors as they come.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import { elementsOf } from "./checkpoint.ts";
import { byteLength, type Dtype } from "./dtype.ts";
import { DEFAULT_ALIGNMENT, GGUF_DTYPES } from "./gguf.ts";
import { ByteBuilder, padding } from "./gguf-bytes.ts";
import { GGUF_MAGIC } from "./gguf-kind.ts";
import type { Output } from "./storage.ts";
import { type PlacedTensor, type TensorWriter, tensorWriter } from "./tensor-writer.ts";

const VERSION = 3;

/** A tensor to be written. Rows of a quantized one fill whole blocks. */
export type GgufTensorPlan = Omit<PlacedTensor, "offset" | "byteLength">;

/** A GGUF file to be written. */
export interface GgufPlan {
  readonly header: Uint8Array;
  readonly tensors: readonly PlacedTensor[];
  /** Size of the whole file. */
  readonly byteLength: number;
}

/** Metadata by key, each value in its stored form (`ggufValue`, or `Checkpoint.readMetadata`). */
export type GgufMetadata = ReadonlyMap<string, Uint8Array>;

/** Lays out a file with the tensors in the order given. @throws {RangeError} when two tensors have the same name. */
export function planGguf(metadata: GgufMetadata, tensors: readonly GgufTensorPlan[]): GgufPlan {
  if (new Set(tensors.map((tensor) => tensor.name)).size < tensors.length) throw new RangeError("a name occurs twice");
  let end = 0;
  const placed = tensors.map((tensor) => {
    const offset = end;
    const bytes = byteLength(tensor.dtype, elementsOf(tensor.shape));
    end += bytes + padding(bytes, DEFAULT_ALIGNMENT);
    return { ...tensor, offset, byteLength: bytes };
  });
  const header = renderHeader(metadata, placed);
  return {
    header,
    tensors: placed.map((tensor) => ({ ...tensor, offset: header.length + tensor.offset })),
    byteLength: header.length + end,
  };
}

/** Creates `file` and its header, around the tensors of a run that this one goes on with. The caller commits or discards the output. */
export async function writeGguf(output: Output, file: string, plan: GgufPlan): Promise<TensorWriter> {
  const sink = await output.create(file, { keepsContent: true });
  await sink.write(0, plan.header);
  const last = plan.tensors.at(-1);
  const end = last === undefined ? plan.byteLength : last.offset + last.byteLength;
  await sink.write(end, new Uint8Array(plan.byteLength - end));
  return tensorWriter([{ sink, tensors: plan.tensors }]);
}

/** `tensors` have offsets from the start of the data. */
function renderHeader(metadata: GgufMetadata, tensors: readonly PlacedTensor[]): Uint8Array {
  const header = new ByteBuilder().scalar("u32", GGUF_MAGIC).scalar("u32", VERSION);
  header.scalar("u64", tensors.length).scalar("u64", metadata.size);
  for (const [key, value] of metadata) header.string(key).bytes(value);
  for (const { name, shape, dtype, offset } of tensors) {
    header.string(name).scalar("u32", shape.length);
    // ggml counts the innermost dimension first.
    for (const size of shape.toReversed()) header.scalar("u64", size);
    header.scalar("u32", codeOf(dtype)).scalar("u64", offset);
  }
  return header.align(DEFAULT_ALIGNMENT).finish();
}

const codeOf = (dtype: Dtype): number => Number(Object.entries(GGUF_DTYPES).find(([, known]) => known === dtype)![0]);
