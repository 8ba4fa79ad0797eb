// What a file is by its first bytes: compressed, Parquet, or something that is no text, for a message that names it.
import { CompError } from "../errors.ts";
import { MAX_TEXT_BYTES, tooLarge } from "./documents.ts";

/** So many bytes of a file show what it is. */
export const SIGNATURE_BYTES = 512;

/** A character stands for a byte. */
const startsWith = (bytes: Uint8Array, signature: string, at = 0): boolean =>
  [...signature].every((character, i) => bytes[at + i] === character.charCodeAt(0));

export const isGzip = (bytes: Uint8Array): boolean => startsWith(bytes, "\x1f\x8b\x08");

export const isParquet = (bytes: Uint8Array): boolean => startsWith(bytes, "PAR1");

interface Signature {
  readonly what: string;
  readonly signature: string;
  readonly at?: number;
  readonly hint: string;
}

const UNPACK = "unpack it first, or pack the text by gzip";
const EXPORT = "export its text as .txt, .jsonl, .csv or .parquet";

/** Files that people give as text; what is not here is told by not being UTF-8. */
const NOT_TEXT: readonly Signature[] = [
  {
    what: "a git-lfs pointer",
    signature: "version https://git-lfs.github.com/spec/",
    hint: "fetch the file by git lfs pull",
  },
  { what: "gzip within gzip", signature: "\x1f\x8b\x08", hint: UNPACK },
  { what: "a zstd file", signature: "\x28\xb5\x2f\xfd", hint: UNPACK },
  { what: "an xz file", signature: "\xfd7zXZ\0", hint: UNPACK },
  { what: "a bzip2 file", signature: "1AY&SY", at: 4, hint: UNPACK },
  { what: "a tar archive", signature: "ustar", at: 257, hint: UNPACK },
  { what: "a zip archive or an office document", signature: "PK\x03\x04", hint: "unpack it first, or export its text" },
  { what: "a PDF document", signature: "%PDF-", hint: EXPORT },
  { what: "an Arrow file", signature: "ARROW1\0\0", hint: EXPORT },
  { what: "an Arrow stream, as the datasets library caches it", signature: "\xff\xff\xff\xff", hint: EXPORT },
  { what: "a GGUF model", signature: "GGUF", hint: "give a file of text" },
];

/** @throws {CompError} "calibration" naming what the file is, where it is known to be no text */
export function refuseForeign(bytes: Uint8Array, name: string): void {
  const known = NOT_TEXT.find(({ signature, at }) => startsWith(bytes, signature, at));
  if (known) throw new CompError("calibration", `${name} is ${known.what}, not text`, { hint: known.hint });
}

/** @throws {CompError} "calibration" when the file is damaged, or holds more text than we read */
export async function gunzip(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const chunk of new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))) {
      size += chunk.length;
      if (size > MAX_TEXT_BYTES) throw tooLarge(name);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof CompError) throw cause;
    throw new CompError("calibration", `${name} is a damaged gzip file`, { hint: "download or pack it again", cause });
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
