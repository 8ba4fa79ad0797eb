// Writes safetensors files. Names, shapes and types fix every offset, so that the files are laid out and their headers
// written before any tensor is computed; the tensors follow as they come.
import { elementsOf } from "./checkpoint.ts";
import { byteLength, type FloatDtype } from "./dtype.ts";
import { INDEX_FILE } from "./safetensors.ts";
import type { Output } from "./storage.ts";
import { type OpenFile, type PlacedTensor, type TensorWriter, tensorWriter } from "./tensor-writer.ts";

/** A tensor to be written. */
export interface TensorPlan {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: FloatDtype;
}

/** One safetensors file to be written. */
export interface ShardPlan {
  readonly file: string;
  /** Length field and JSON, padded with blanks so that the data begins at a multiple of 8. */
  readonly header: Uint8Array;
  readonly tensors: readonly PlacedTensor[];
  /** Size of the whole file. */
  readonly byteLength: number;
}

/**
 * Distributes tensors, in the order given, over files of at most `maxShardBytes` of data; a larger tensor gets a file
 * of its own. One file is model.safetensors, several are numbered as transformers numbers them.
 * @throws {RangeError} when two tensors have the same name.
 */
export function planShards(tensors: readonly TensorPlan[], maxShardBytes: number): ShardPlan[] {
  if (new Set(tensors.map((tensor) => tensor.name)).size < tensors.length) throw new RangeError("a name occurs twice");
  const groups = groupBySize(tensors, maxShardBytes);
  const number = (n: number): string => String(n).padStart(5, "0");
  return groups.map((group, i) => {
    const file =
      groups.length === 1 ? "model.safetensors" : `model-${number(i + 1)}-of-${number(groups.length)}.safetensors`;
    return planShard(file, group);
  });
}

/** Creates the files of `shards` and their headers, around the tensors of a run that this one goes on with. The caller commits or discards the output. */
export async function writeSafetensors(output: Output, shards: readonly ShardPlan[]): Promise<TensorWriter> {
  const files: OpenFile[] = [];
  for (const { file, header, tensors } of shards) {
    const sink = await output.create(file, { keepsContent: true });
    files.push({ sink, tensors });
    await sink.write(0, header);
  }
  const writer = tensorWriter(files);
  return {
    ...writer,
    finish: async () => {
      await writer.finish();
      await writeIndex(output, shards);
    },
  };
}

async function writeIndex(output: Output, shards: readonly ShardPlan[]): Promise<void> {
  const index = renderIndex(shards);
  if (index === undefined) return;
  const sink = await output.create(index.file);
  await sink.write(0, new TextEncoder().encode(index.text));
  await sink.close();
}

/** The index file of several shards; undefined for one, which needs none. */
function renderIndex(shards: readonly ShardPlan[]): { file: string; text: string } | undefined {
  if (shards.length === 1) return undefined;
  const placed = shards.flatMap(({ file, tensors }) => tensors.map((tensor) => ({ ...tensor, file })));
  const index = {
    metadata: { total_size: placed.reduce((total, tensor) => total + tensor.byteLength, 0) },
    weight_map: Object.fromEntries(placed.sort(byName).map(({ name, file }) => [name, file])),
  };
  return { file: INDEX_FILE, text: `${JSON.stringify(index, null, 2)}\n` };
}

const bytesOf = (tensor: TensorPlan): number => byteLength(tensor.dtype, elementsOf(tensor.shape));
const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

function groupBySize(tensors: readonly TensorPlan[], maxShardBytes: number): TensorPlan[][] {
  const groups: TensorPlan[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    const bytes = bytesOf(tensor);
    if (filled > 0 && filled + bytes > maxShardBytes) {
      groups.push([]);
      filled = 0;
    }
    groups.at(-1)!.push(tensor);
    filled += bytes;
  }
  return groups;
}

function planShard(file: string, group: readonly TensorPlan[]): ShardPlan {
  // Wider types first, as the safetensors library orders them: each tensor then starts at a multiple of its element size.
  const sorted = [...group].sort((a, b) => byteLength(b.dtype, 1) - byteLength(a.dtype, 1) || byName(a, b));
  const entries: Record<string, object> = { __metadata__: { format: "pt" } };
  let end = 0;
  const ranges = sorted.map((tensor) => {
    const begin = end;
    end += bytesOf(tensor);
    entries[tensor.name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [begin, end] };
    return { ...tensor, offset: begin, byteLength: end - begin };
  });
  const header = renderHeader(entries);
  const tensors = ranges.map((tensor) => ({ ...tensor, offset: tensor.offset + header.length }));
  return { file, header, tensors, byteLength: header.length + end };
}

function renderHeader(entries: Record<string, object>): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}
