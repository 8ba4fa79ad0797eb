// What is checked of the files of a checkpoint beyond what opening them has: the index of the shards, and every value.
import { type Checkpoint, elementsOf, rowCountOf, rowSizeOf, type TensorInfo } from "../checkpoint/checkpoint.ts";
import { parseJson } from "../checkpoint/json.ts";
import { INDEX_FILE, SINGLE_FILE } from "../checkpoint/safetensors.ts";
import { CompError } from "../errors.ts";
import { checkFinite } from "../model/model.ts";

/** Values in memory at once; whole blocks of any type. */
const TILE_ELEMENTS = 2 ** 21;

/** The files that hold the tensors. */
export const weightFiles = ({ format, files }: Checkpoint): readonly string[] => {
  if (format === "gguf") return files;
  return files.includes(SINGLE_FILE) ? [SINGLE_FILE] : files.filter((file) => file.endsWith(".safetensors"));
};

/**
 * Compares the index of the shards with the tensors that are in them. Opening has found each tensor that it names in the shard that
 * it names; what it does not name is lost on whoever reads by it.
 *
 * @throws {CompError} "checkpoint" naming a tensor that it leaves out, or the size that it gives wrongly
 */
export async function checkIndex(checkpoint: Checkpoint): Promise<void> {
  if (checkpoint.files.includes(SINGLE_FILE)) return;
  const text = await checkpoint.readText(INDEX_FILE);
  if (text === undefined) return;
  const where = `${checkpoint.name}/${INDEX_FILE}`;
  const { weight_map, metadata } = parseJson(text, where) as {
    weight_map: object;
    metadata?: { total_size?: unknown };
  };
  const refuse = (what: string): CompError =>
    new CompError("checkpoint", `${where} ${what}`, { hint: "write or download index and shards again, together" });
  for (const name of checkpoint.tensors.keys())
    if (!Object.hasOwn(weight_map, name)) throw refuse(`does not name tensor "${name}", which a shard holds`);
  const bytes = bytesOf(checkpoint);
  const said = metadata?.total_size;
  if (typeof said === "number" && said !== bytes)
    throw refuse(`says that the shards hold ${said} bytes of tensors; they hold ${bytes}`);
}

/** Bytes of all tensors. */
export const bytesOf = ({ tensors }: Pick<Checkpoint, "tensors">): number =>
  [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);

/**
 * Reads every value of every tensor, those beside the model included.
 *
 * @param onTensor called before each tensor with the number of those that are done
 * @returns how many values there are
 * @throws {CompError} "numeric" naming the tensor and the place of the first that is not finite
 */
export async function checkValues(
  checkpoint: Checkpoint,
  onTensor: (done: number) => void = () => {},
): Promise<number> {
  let values = 0;
  let done = 0;
  for (const tensor of checkpoint.tensors.values()) {
    onTensor(done++);
    await checkTensor(checkpoint, tensor);
    values += elementsOf(tensor.shape);
  }
  return values;
}

async function checkTensor(checkpoint: Checkpoint, tensor: TensorInfo): Promise<void> {
  const rows = rowCountOf(tensor.shape);
  const step = Math.max(1, Math.floor(TILE_ELEMENTS / Math.max(1, rowSizeOf(tensor.shape))));
  for (let start = 0; start < rows; start += step)
    checkFinite(tensor, await checkpoint.readRows(tensor.name, start, Math.min(rows, start + step)), start);
}
