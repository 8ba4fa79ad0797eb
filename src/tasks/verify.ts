// The proof that a checkpoint is whole and runs: it is opened, read, and run as whoever gets it will do.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { isFloatDtype } from "../checkpoint/dtype.ts";
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import { bytesOf, checkIndex, checkValues, weightFiles } from "../evaluate/verify-files.ts";
import { checkTokenizer } from "../evaluate/verify-tokenizer.ts";
import type { Check, LlamaCppAnswer, Verification, VerifyEvent } from "../events/model.ts";
import { generateTokens } from "../forward/decode/generate.ts";
import { type Model, openModel } from "../model/model.ts";
import { longestText } from "../model/spec/decoder-spec.ts";
import { DTYPE_NAMES } from "../model/write/pruned-config.ts";
import { tensorTypes } from "../model/write/tensor-types.ts";
import { settleJudging } from "../options/protocols.ts";
import type { CalibrationText } from "../options/prune.ts";
import { readDocuments } from "../texts/documents.ts";
import { openTokenizer, type Tokenizer, tokenizerWarnings } from "../tokenizer/tokenizer.ts";
import { evaluateText } from "./evaluate.ts";
import { inspectModel } from "./inspect.ts";

/** Tokens in the window that the perplexity is told of. */
const CONTEXT = 256;
/** More than that many tokens, in any tokenizer. */
const CHARACTERS = 8192;
const PROMPT_TOKENS = 16;
const FIRST_TOKENS = 4;
/**
 * By how much a logit of ours may exceed that of llama.cpp's choice. It keeps keys and values in F16, and rounds what it multiplies
 * quantized weights with to 8 bits: of two tokens that are nearly as likely it may prefer the other.
 */
const TIE = { float: 0.1, quantized: 0.5 } as const;

export interface VerifyRequest {
  readonly backend: Backend;
  /** Stays the caller's to close. */
  readonly checkpoint: Checkpoint;
  /** What perplexity and first tokens are told of. */
  readonly text: CalibrationText;
  /** Weights stay in memory when all of them take no more than this. */
  readonly budgetBytes: number;
  /** The greedy choice of llama.cpp after each of the last `count` of some tokens. */
  readonly askLlamaCpp: (ids: readonly number[], count: number) => Promise<LlamaCppAnswer>;
  readonly signal?: AbortSignal | undefined;
}

/** Makes all checks, one after another. @throws {CompError} for the first that does not pass, saying what is wrong and where */
export async function verifyModel(request: VerifyRequest, report: (event: VerifyEvent) => void): Promise<Verification> {
  const start = performance.now();
  const { checkpoint, signal } = request;
  const checks: Check[] = [];
  const pass = (check: Check): void => {
    signal?.throwIfAborted();
    checks.push(check);
    report({ type: "check", ...check });
  };
  await checkIndex(checkpoint);
  pass({ name: "files", files: weightFiles(checkpoint).length, bytes: bytesOf(checkpoint) });
  const model = await openModel(checkpoint);
  const { parameters, dtypes } = inspectModel(model, undefined);
  warnOfType(model, report);
  pass({ name: "tensors", tensors: checkpoint.tensors.size, parameters: parameters.total, dtypes });
  pass({ name: "values", values: await readValues(request, report) });
  const tokenizer = await openTokenizer(checkpoint);
  for (const message of tokenizerWarnings(checkpoint)) report({ type: "warning", message });
  const trip = checkTokenizer(checkpoint, tokenizer, model.spec.vocabSize);
  pass({ name: "tokenizer", ...trip, ...inspectModel(model, tokenizer).tokenizer! });
  const { logits, ...forward } = await runForward(request, model, tokenizer, report);
  pass(forward);
  pass({ name: "llama.cpp", ...(await compareWithLlamaCpp(request, model, forward, logits)) });
  const { format, name } = checkpoint;
  return { model: name, format, family: model.spec.family, checks, seconds: (performance.now() - start) / 1000 };
}

/** config.json need not say the type of the weights: whoever loads them by it converts them. */
function warnOfType(model: Model, report: (event: VerifyEvent) => void): void {
  const stated = model.config.dtype ?? model.config.torch_dtype;
  const most = DTYPE_NAMES[tensorTypes(model, [], "same").most];
  if (model.checkpoint.format === "gguf" || typeof stated !== "string" || stated === most) return;
  report({ type: "warning", message: `config.json says that the weights are ${stated}; most of them are ${most}` });
}

function readValues({ checkpoint, signal }: VerifyRequest, report: (event: VerifyEvent) => void): Promise<number> {
  const total = checkpoint.tensors.size;
  return checkValues(checkpoint, (done) => {
    signal?.throwIfAborted();
    report({ type: "stage", name: "verify", done, total });
  });
}

type Forward = Extract<Check, { name: "forward" }>;

/** Perplexity of the beginning of the text, and how it goes on by greedy choice, with the logits of each choice. */
async function runForward(
  { backend, checkpoint, text, budgetBytes, signal }: VerifyRequest,
  model: Model,
  tokenizer: Tokenizer,
  report: (event: VerifyEvent) => void,
): Promise<Forward & { readonly logits: readonly Float32Array[] }> {
  const beginning = readDocuments(text)[0]!.slice(0, CHARACTERS);
  const bos = tokenizer.addsBos && tokenizer.bosTokenId !== undefined;
  const room = longestText(model.spec) - (bos ? 1 : 0);
  const options = settleJudging({ context: Math.min(CONTEXT, room), windows: 1, bos });
  const excerpt = { name: text.name, text: [beginning] };
  const evaluation = { backend, model, tokenizer, text: excerpt, options, signal };
  const { perplexity, tokens } = await evaluateText(evaluation, report);
  const ids = tokenizer.encode(beginning).slice(0, Math.max(1, Math.min(PROMPT_TOKENS, room - FIRST_TOKENS)));
  const prompt = bos ? [tokenizer.bosTokenId!, ...ids] : ids;
  const logits: Float32Array[] = [];
  const firstTokens: number[] = [];
  const greedy = { maxTokens: FIRST_TOKENS, temperature: 0, stopTokens: [], random: () => 0 };
  await generateTokens(backend, model, { prompt, ...greedy, budgetBytes, signal }, (id, row) => {
    firstTokens.push(id);
    logits.push(row.slice());
  });
  if (!Number.isFinite(perplexity) || !logits.every((row) => row.every(Number.isFinite)))
    throw new CompError("numeric", `${checkpoint.name} gives logits that are not finite, though its weights are`, {
      hint: "a weight is too large, or config.json describes another model: compare both with the source",
    });
  return { name: "forward", perplexity, tokens, prompt, firstTokens, logits };
}

/** @throws {CompError} "checkpoint" when llama.cpp chooses a token that is clearly not the likeliest to us */
async function compareWithLlamaCpp(
  { checkpoint, askLlamaCpp }: VerifyRequest,
  model: Model,
  { prompt, firstTokens }: Forward,
  logits: readonly Float32Array[],
): Promise<LlamaCppAnswer> {
  if (checkpoint.format !== "gguf") return { loaded: false, reason: "a folder, which llama.cpp does not read" };
  const answer = await askLlamaCpp([...prompt, ...firstTokens.slice(0, -1)], firstTokens.length);
  if (!answer.loaded) return answer;
  const isFloat = [...model.tensors.values()].every(({ dtype }) => isFloatDtype(dtype));
  const tie = isFloat ? TIE.float : TIE.quantized;
  const differs = answer.firstTokens.some((id, i) => !(logits[i]![firstTokens[i]!]! - logits[i]![id]! <= tie));
  if (!differs) return answer;
  throw new CompError(
    "checkpoint",
    `${checkpoint.name}: after the tokens ${prompt.join(", ")} llama.cpp continues with ${answer.firstTokens.join(", ")} where our forward pass has ${firstTokens.join(", ")}`,
    { hint: "write the file again; if that does not help, please report it" },
  );
}
