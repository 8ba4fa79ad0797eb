// tokenizer.model, SentencePiece's own file, with fewer pieces: all else stays byte for byte.
// Format: google/sentencepiece, src/sentencepiece_model.proto (ModelProto)
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { TokenizerJson } from "../tokenizer-json.ts";
import { pieceIds } from "./needed-tokens.ts";
import type { Renumbering } from "./renumbering.ts";

const MODEL = { pieces: 1, trainer: 2 } as const;
const PIECE = 1;
const VOCAB_SIZE = 4;

/** Bytes of the file; undefined where it is none of SentencePiece's: others have files of that name too. */
export function trimSentencePiece(
  bytes: Uint8Array,
  json: TokenizerJson,
  renumbering: Renumbering,
): Uint8Array | undefined {
  const ids = pieceIds(json);
  const isKept = (piece: string): boolean => renumbering.idOf(ids.get(piece) ?? -1) !== undefined;
  try {
    const fields = fieldsOf(bytes);
    const isPiece = ({ field }: Field): boolean => field === MODEL.pieces;
    const kept = fields.filter((field) => !isPiece(field) || isKept(pieceOf(field.content!)));
    const size = kept.filter(isPiece).length;
    if (size === 0) return undefined;
    return join(kept.map((one) => (one.field === MODEL.trainer ? withSize(one.content!, size) : one.bytes)));
  } catch {
    return undefined;
  }
}

/** A field of a message: its number, all its bytes, and the content of one that is text or a message. */
interface Field {
  readonly field: number;
  readonly bytes: Uint8Array;
  readonly content: Uint8Array | undefined;
}

/** @throws {Error} when the bytes are no message */
function fieldsOf(bytes: Uint8Array): Field[] {
  const reader = new BinaryReader(bytes);
  const fields: Field[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, type] = reader.tag();
    const content = type === WireType.LengthDelimited ? reader.bytes() : undefined;
    if (content === undefined) reader.skip(type, field);
    fields.push({ field, bytes: bytes.subarray(start, reader.pos), content });
  }
  return fields;
}

const pieceOf = (message: Uint8Array): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(fieldsOf(message).find(({ field }) => field === PIECE)?.content);

/** The trainer's settings as a field, with another number of pieces. */
function withSize(trainer: Uint8Array, size: number): Uint8Array {
  const rest = fieldsOf(trainer).filter(({ field }) => field !== VOCAB_SIZE);
  const own = new BinaryWriter().tag(VOCAB_SIZE, WireType.Varint).int32(size).finish();
  const content = join([...rest.map(({ bytes }) => bytes), own]);
  return new BinaryWriter().tag(MODEL.trainer, WireType.LengthDelimited).bytes(content).finish();
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
