// Reads a finished output back before it gets its name: what was written must be the model that was measured.
import type { WritableDtype } from "../checkpoint/dtype.ts";
import { openWritten } from "../checkpoint/open-checkpoint.ts";
import type { Output } from "../checkpoint/storage.ts";
import type { Backend } from "../compute/backend.ts";
import { CompError } from "../errors.ts";
import { openModel } from "../model/model.ts";
import type { OutputForm } from "../model/output-form.ts";
import type { TokenWindows } from "../model/token-windows.ts";
import { evaluateModel } from "./compare-models.ts";

/** How far rounding the weights to the written type may move the perplexity, relatively. */
const TOLERANCE: Record<WritableDtype, number> = { F32: 1e-3, F16: 0.02, BF16: 0.1, Q8_0: 0.1 };

/** Opens the output (which checks every shape against its configuration), runs it, and compares its perplexity. */
export async function verifyOutput(
  backend: Backend,
  output: Output,
  windows: TokenWindows,
  perplexity: number,
  { format, dtype }: OutputForm,
): Promise<void> {
  const checkpoint = await openWritten(output, format);
  try {
    const model = await openModel(checkpoint);
    const written = await evaluateModel(backend, model, windows);
    if (Math.abs(written.perplexity / perplexity - 1) <= TOLERANCE[dtype]) return;
    throw new CompError(
      "output",
      `the written model has perplexity ${written.perplexity.toFixed(2)} instead of ${perplexity.toFixed(2)}`,
      {
        hint: "write with --dtype f32, and please report this",
      },
    );
  } finally {
    await checkpoint.close();
  }
}
