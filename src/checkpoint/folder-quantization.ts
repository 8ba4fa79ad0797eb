// What config.json says of quantized weights: those with a scale for each block are read as their values, all others refused by
// the name of what made them.
import { CompError } from "../errors.ts";
import { readText } from "./folder-files.ts";
import { parseJson } from "./json.ts";
import type { ScaleBlock } from "./scales.ts";
import type { SourceFolder } from "./storage.ts";

/** How weights in few bits and their scales are stored. */
export interface ScaledForm {
  /** What the name of a weight has at its end, beyond that of the tensor that it stands for. */
  readonly weightSuffix: string;
  /** What the name of the scales has there. */
  readonly scalesSuffix: string;
  /** Whether weights are 4-bit floats, two to a byte, in blocks as a dimension of their own; else they are 8-bit floats. */
  readonly packed: boolean;
  /** Absent where only the shape of the scales tells: one for a tensor, or for each of its rows. */
  readonly block?: ScaleBlock | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const eightBits = (scalesSuffix: string, block?: ScaleBlock): ScaledForm => ({
  weightSuffix: "",
  scalesSuffix,
  packed: false,
  block,
});

/** Forms by their `quant_method`; undefined for a variant of it that is not read. */
const FORMS: ReadonlyMap<string, (fields: Fields) => ScaledForm | undefined> = new Map([
  ["fp8", ({ weight_block_size: size }: Fields) => eightBits("_scale_inv", blockOf(size))],
  ["fbgemm_fp8", () => eightBits("_scale")],
  [
    "compressed-tensors",
    (fields: Fields) =>
      fields.format === "float-quantized" ? eightBits("_scale", blockOf(blockStructure(fields))) : undefined,
  ],
  ["mxfp4", () => ({ weightSuffix: "_blocks", scalesSuffix: "_scales", packed: true, block: [1, 32] as const })],
]);

/** Quantizers as their authors write them, and what turns their folders into one that is read, where something does. */
const QUANTIZERS: ReadonlyMap<string, readonly [name: string, hint?: string]> = new Map([
  ["awq", ["AWQ"]],
  [
    "bitsandbytes",
    ["bitsandbytes", "load it with transformers, and save what model.dequantize() gives with save_pretrained"],
  ],
  ["gptq", ["GPTQ"]],
  ["hqq", ["HQQ"]],
  ["auto-round", ["AutoRound"]],
  ["modelopt", ["NVIDIA's Model Optimizer"]],
]);

/**
 * The form of a folder's quantized weights; undefined where config.json speaks of none.
 * @throws {CompError} "checkpoint" for a quantizer whose weights are not read, by name
 */
export async function folderQuantization(
  folder: SourceFolder,
  files: readonly string[],
): Promise<ScaledForm | undefined> {
  if (!files.includes("config.json")) return undefined;
  const config = parseJson(await readText(folder, "config.json"), `config.json of ${folder.name}`);
  const fields = (config as Fields | null)?.quantization_config;
  if (typeof fields !== "object" || fields === null) return undefined;
  const method = methodOf(fields as Fields);
  const form = FORMS.get(method)?.(fields as Fields);
  if (form !== undefined) return form;
  const [name, hint] = QUANTIZERS.get(method) ?? [method];
  const { format } = fields as Fields;
  const variant = typeof format === "string" ? ` as ${format}` : "";
  throw new CompError(
    "checkpoint",
    `the weights of ${folder.name} are quantized by ${name}${variant}, which is not read`,
    {
      hint: hint ?? "give the folder that was quantized, or a GGUF file of the model",
    },
  );
}

/** bitsandbytes did not always give its name. */
function methodOf({ quant_method: method, load_in_4bit: four, load_in_8bit: eight }: Fields): string {
  if (typeof method === "string") return method;
  return four === true || eight === true
    ? "bitsandbytes"
    : "an unknown method (quantization_config has no quant_method)";
}

const blockOf = (size: unknown): ScaleBlock | undefined => {
  if (!Array.isArray(size) || size.length !== 2) return undefined;
  return size.every((length) => Number.isSafeInteger(length) && length > 0) ? (size as [number, number]) : undefined;
};

/** That of the first group of weights: in this format all of them are stored alike. */
function blockStructure({ config_groups: groups }: Fields): unknown {
  const [first] = Object.values((groups ?? {}) as Readonly<Record<string, { weights?: Fields } | null>>);
  return first?.weights?.block_structure;
}
