// The vocabulary of a GGUF file of kind "llama" as tokenizer.model, SentencePiece's own file: llama.cpp's converter takes pieces
// and scores from it, and would otherwise give every piece the same score.
// Format: google/sentencepiece, src/sentencepiece_model.proto (ModelProto)
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { byteTokens } from "../encode/bytes.ts";
import { type GgufVocabulary, SPACE, TOKEN_TYPE } from "./vocabulary.ts";

/** Fields of ModelProto, and of the messages in it. */
const MODEL = { pieces: 1, trainer: 2, normalizer: 3 } as const;
const PIECE = { piece: 1, score: 2, type: 3 } as const;
const TRAINER = {
  modelType: 3,
  vocabSize: 4,
  byteFallback: 35,
  unknownId: 40,
  bosId: 41,
  eosId: 42,
  padId: 43,
} as const;
const TRAINER_PIECES = { unknown: 45, bos: 46, eos: 47, pad: 48 } as const;
const NORMALIZER = { name: 1, addDummyPrefix: 3, removeExtraWhitespaces: 4, escapeWhitespaces: 5 } as const;

/** TrainerSpec.ModelType.BPE */
const BPE = 2;

/** Bytes of the file; undefined for a vocabulary without an unknown token, which SentencePiece does not load. */
export function sentencePieceModel(vocabulary: GgufVocabulary): Uint8Array | undefined {
  const unknown = vocabulary.unknownTokenId ?? vocabulary.types.indexOf(TOKEN_TYPE.unknown);
  if (unknown < 0) return undefined;
  const writer = new BinaryWriter();
  const message = (field: number, write: (inner: BinaryWriter) => void): void => {
    writer.tag(field, WireType.LengthDelimited).fork();
    write(writer);
    writer.join();
  };
  const isSpelled = spellsBytes(vocabulary);
  const pieces = piecesOf(vocabulary);
  for (const [id, piece] of pieces.entries())
    message(MODEL.pieces, (inner) => {
      inner.tag(PIECE.piece, WireType.LengthDelimited).string(piece);
      inner.tag(PIECE.score, WireType.Bit32).float(vocabulary.scores[id]!);
      inner.tag(PIECE.type, WireType.Varint).int32(typeOf(vocabulary.types[id]!, id === unknown, isSpelled));
    });
  message(MODEL.trainer, (inner) => writeTrainer(inner, vocabulary, unknown, isSpelled));
  message(MODEL.normalizer, (inner) => writeNormalizer(inner, vocabulary.addSpacePrefix ?? true));
  return writer.finish();
}

/** SentencePiece loads a vocabulary that spells unknown characters only with a token for each byte. */
function spellsBytes({ tokens, types }: GgufVocabulary): boolean {
  const bytes = new Map(tokens.flatMap((token, id) => (types[id] === TOKEN_TYPE.byte ? [[token, id] as const] : [])));
  return !byteTokens(bytes).includes(undefined);
}

/** GGUF has the numbers of SentencePiece, which takes one unknown piece only, and bytes all or none. */
function typeOf(type: number, isUnknown: boolean, isSpelled: boolean): number {
  if (isUnknown) return TOKEN_TYPE.unknown;
  if (type === TOKEN_TYPE.unknown) return TOKEN_TYPE.control;
  return type === TOKEN_TYPE.byte && !isSpelled ? TOKEN_TYPE.unused : type;
}

/** Tokens of the text as it is written get visible spaces: SentencePiece looks for them where it has put these. */
function piecesOf({ tokens, types }: GgufVocabulary): string[] {
  const taken = new Set(tokens);
  return tokens.map((token, id) => {
    const visible = token.replaceAll(" ", SPACE);
    if (types[id] !== TOKEN_TYPE.userDefined || taken.has(visible)) return token;
    taken.add(visible);
    return visible;
  });
}

function writeTrainer(writer: BinaryWriter, vocabulary: GgufVocabulary, unknown: number, isSpelled: boolean): void {
  const { tokens, bosTokenId: bos, eosTokenId: eos, paddingTokenId: pad } = vocabulary;
  const number = (field: number, value: number): unknown => writer.tag(field, WireType.Varint).int32(value);
  number(TRAINER.modelType, BPE);
  number(TRAINER.vocabSize, tokens.length);
  writer.tag(TRAINER.byteFallback, WireType.Varint).bool(isSpelled);
  const none = -1;
  number(TRAINER.unknownId, unknown);
  number(TRAINER.bosId, bos ?? none);
  number(TRAINER.eosId, eos ?? none);
  number(TRAINER.padId, pad ?? none);
  for (const [role, id] of Object.entries({ unknown, bos, eos, pad }))
    if (id !== undefined)
      writer.tag(TRAINER_PIECES[role as keyof typeof TRAINER_PIECES], WireType.LengthDelimited).string(tokens[id]!);
}

function writeNormalizer(writer: BinaryWriter, addDummyPrefix: boolean): void {
  writer.tag(NORMALIZER.name, WireType.LengthDelimited).string("identity");
  writer.tag(NORMALIZER.addDummyPrefix, WireType.Varint).bool(addDummyPrefix);
  writer.tag(NORMALIZER.removeExtraWhitespaces, WireType.Varint).bool(false);
  writer.tag(NORMALIZER.escapeWhitespaces, WireType.Varint).bool(true);
}
