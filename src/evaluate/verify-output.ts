// Reads a finished output back before it gets its name: what was written must be the model that was measured.
import type { WritableDtype } from "../checkpoint/dtype.ts";
import { openWritten } from "../checkpoint/open-checkpoint.ts";
import type { Output } from "../checkpoint/storage.ts";
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import type { OutputForm } from "../method/output-format.ts";
import { openModel } from "../model/model.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import { openTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import { evaluateModel } from "./compare-models.ts";

/** How far rounding the weights to the written type may move the perplexity, relatively. */
const TOLERANCE: Record<WritableDtype, number> = { F32: 1e-3, F16: 0.02, BF16: 0.1, Q8_0: 0.1 };

/** What the output must show. */
export interface Expected {
  readonly windows: TokenWindows;
  /** On these windows. */
  readonly perplexity: number;
  readonly tokenizer: Tokenizer;
}

/**
 * Opens the output (which checks every shape against its configuration), runs it, and compares its perplexity and its token
 * ids. @throws {CompError} "output" when they are not those expected.
 */
export async function verifyOutput(
  backend: Backend,
  output: Output,
  expected: Expected,
  { format, dtype }: OutputForm,
): Promise<void> {
  const checkpoint = await openWritten(output, format);
  try {
    const { perplexity } = await evaluateModel(backend, await openModel(checkpoint), expected.windows);
    if (!(Math.abs(perplexity / expected.perplexity - 1) <= TOLERANCE[dtype]))
      throw new CompError(
        "output",
        `the written model has perplexity ${perplexity.toFixed(2)} instead of ${expected.perplexity.toFixed(2)}`,
        { hint: "write with --dtype f32, and please report this" },
      );
    checkIds(await openTokenizer(checkpoint), expected);
  } finally {
    await checkpoint.close();
  }
}

/** The text of the windows must become the same ids. */
function checkIds(written: Tokenizer, { tokenizer, windows: { ids } }: Expected): void {
  const text = tokenizer.decode([...ids]);
  const [own, source] = [written.encode(text), tokenizer.encode(text)];
  if (own.length === source.length && own.every((id, i) => id === source[i])) return;
  throw new CompError("output", "the written tokenizer gives other ids than the source's", {
    hint: "write a folder instead, and please report this",
  });
}
