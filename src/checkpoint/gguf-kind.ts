// Whether a file is GGUF that can be read, and holds a whole model.
import { CompError } from "../errors.ts";
import type { MetadataValue } from "./checkpoint.ts";

export const GGUF_MAGIC = 0x46554747; // "GGUF"

/** What other files begin with that pass for models, and what they are. */
const OTHER_KINDS: readonly (readonly [start: string, what: string, hint: string])[] = [
  ["lmgg", "of llama.cpp's format before GGUF", "download a GGUF file of the model"],
  ["fmgg", "of llama.cpp's format before GGUF", "download a GGUF file of the model"],
  ["tjgg", "of llama.cpp's format before GGUF", "download a GGUF file of the model"],
  ["algg", "a LoRA adapter of llama.cpp's format before GGUF", "merge it into its base model first"],
  [
    "PK\x03\x04",
    "a zip archive, as PyTorch writes its weights",
    "convert them to safetensors: save_pretrained of transformers does",
  ],
  [
    "\x89HDF",
    "HDF5, as TensorFlow writes its weights",
    "convert them to safetensors: save_pretrained of transformers does",
  ],
];

/** @throws {CompError} "checkpoint" for a file that does not begin as GGUF does, saying what it is as far as that is known */
export function checkMagic(name: string, magic: number | undefined): void {
  if (magic === GGUF_MAGIC) return;
  const start = String.fromCharCode(...new Uint8Array(Uint32Array.of(magic ?? 0).buffer));
  if (start === "FUGG") throw bigEndian(name);
  const [, what, hint] = OTHER_KINDS.find(([known]) => known === start) ?? [];
  throw new CompError("checkpoint", `${name} is not a GGUF file${what === undefined ? "" : `: it is ${what}`}`, {
    hint: hint ?? "give a .gguf file, or a folder with config.json and *.safetensors",
  });
}

/** @throws {CompError} "checkpoint" for a version other than 2 and 3 */
export function checkVersion(name: string, version: number): void {
  if (version === 2 || version === 3) return;
  // no version has reached 2^16: its bytes are in the other order, as a big-endian machine writes them
  if ((version & 0xffff) === 0) throw bigEndian(name);
  throw new CompError("checkpoint", `${name} is GGUF of version ${version}; 2 and 3 are supported`, {
    hint:
      version < 2 ? "convert the model again with a current llama.cpp" : "write it in version 3, or download it again",
  });
}

const bigEndian = (name: string): CompError =>
  new CompError("checkpoint", `${name} is a big-endian GGUF file, which is not supported`, {
    hint: "turn it into a little-endian one with gguf_convert_endian.py of llama.cpp",
  });

/** `general.type` of files that are no model, what they are, and what to do. */
const PARTS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  adapter: ["a LoRA adapter, not a model", "merge it into its base model first: llama-export-lora of llama.cpp does"],
  mmproj: ["the vision part of a model (mmproj)", "give the GGUF file of the language model"],
  imatrix: ["an importance matrix, not a model", "give the GGUF file of the model"],
};

/** @throws {CompError} "checkpoint" for an adapter, and what else goes by the name of GGUF */
export function checkWhole(name: string, metadata: ReadonlyMap<string, MetadataValue>): void {
  const type = metadata.has("adapter.type") ? "adapter" : metadata.get("general.type");
  const part = typeof type === "string" ? PARTS[type] : undefined;
  if (part !== undefined) throw new CompError("checkpoint", `${name} is ${part[0]}`, { hint: part[1] });
}
