// Reads a finished output back before it gets its name: what was written must be the model that was measured.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { WritableDtype } from "../checkpoint/dtype.ts";
import { openWritten } from "../checkpoint/open-checkpoint.ts";
import type { Output } from "../checkpoint/storage.ts";
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import type { Quality } from "../events/common.ts";
import type { OutputFormat } from "../method/output-format.ts";
import { type Model, openModel } from "../model/model.ts";
import { rewritable } from "../model/write/tensor-types.ts";
import { openTokenizerHeldIn } from "../tokenizer/gguf/to-gguf.ts";
import { openTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Judge } from "./judge.ts";
import { checkIndex, checkValues } from "./verify-files.ts";

/** How far rounding weights to a type may move the perplexity, relatively. */
const TOLERANCE: Record<WritableDtype, number> = {
  F32: 1e-3,
  F16: 0.02,
  BF16: 0.1,
  Q8_0: 0.1,
  Q6_K: 0.1,
  Q5_K: 0.2,
  Q5_1: 0.2,
  Q5_0: 0.2,
  Q4_K: 0.5,
  Q4_1: 0.5,
  Q4_0: 0.5,
  IQ4_NL: 0.5,
  IQ4_XS: 0.5,
  // small models all but break
  Q3_K: 3,
  Q2_K: 30,
};

/** That of the types which a written model has. */
const toleranceOf = ({ tensors }: Model): number =>
  Math.max(...[...tensors.values()].map(({ dtype }) => TOLERANCE[rewritable(dtype)]));

/** What the output must show. */
export interface Expected {
  /** Knows the dense model's states. */
  readonly judge: Judge;
  readonly dense: Model;
  /** That of the weights before they are rounded, on the judge's windows. */
  readonly perplexity: number;
  /** Gives the tokenizer as the output holds it; called at the end, since it takes memory that the head needs before. */
  readonly openTokenizer: () => Promise<Tokenizer>;
}

/**
 * Opens the output (which checks every shape against its configuration), runs it (which reads every value), and compares its
 * perplexity and its token ids. Returns the quality of what was written, as it was written.
 * @throws {CompError} "output" when perplexity or ids are not those expected.
 */
export async function verifyOutput(
  backend: Backend,
  output: Output,
  { judge, dense, perplexity: expected, openTokenizer: openExpected }: Expected,
  { format }: OutputFormat,
): Promise<Quality> {
  const checkpoint = await openWritten(output, format);
  try {
    await checkIndex(checkpoint);
    const model = await openModel(checkpoint);
    const quality = await judge.qualityOfWritten(backend, model, dense);
    const { after: perplexity } = quality.perplexity;
    if (!(Math.abs(perplexity / expected - 1) <= toleranceOf(model)))
      throw new CompError(
        "output",
        `the written model has perplexity ${perplexity.toFixed(2)} instead of ${expected.toFixed(2)}`,
        { hint: "write with --dtype f32, and please report this" },
      );
    const tokenizer = await openExpected();
    checkIds(await openTokenizer(checkpoint), tokenizer, tokenizer.decode([...judge.windows.ids]));
    return quality;
  } finally {
    await checkpoint.close();
  }
}

/**
 * Opens the copy of a whole model, which checks every shape against its configuration, reads every value, and compares its token
 * ids on a text where the source has a tokenizer that we can run. @throws {CompError} "output" when they are not those expected.
 */
export async function verifyCopy(
  output: Output,
  source: Checkpoint,
  text: string,
  { format }: OutputFormat,
): Promise<void> {
  const checkpoint = await openWritten(output, format);
  try {
    await checkIndex(checkpoint);
    const { vocabSize } = (await openModel(checkpoint)).spec;
    await checkValues(checkpoint);
    const tokenizer = await openTokenizerHeldIn(format, source, vocabSize).catch(() => undefined);
    if (tokenizer) checkIds(await openTokenizer(checkpoint), tokenizer, text);
  } finally {
    await checkpoint.close();
  }
}

/** A text must become the same ids. */
function checkIds(written: Tokenizer, tokenizer: Tokenizer, text: string): void {
  const [own, source] = [written.encode(text), tokenizer.encode(text)];
  if (own.length === source.length && own.every((id, i) => id === source[i])) return;
  throw new CompError("output", "the written tokenizer gives other ids than the source's", {
    hint: "write a folder instead, and please report this",
  });
}
