// The curve of a model on this machine.
import { CompError } from "../errors.ts";
import type { CurveEvent } from "../events/curve.ts";
import { pruneOptions } from "../method/presets.ts";
import { CurveOptions } from "../options/curve.ts";
import { parseOptions } from "../options/schema.ts";
import { traceCurve } from "../tasks/curve.ts";
import { nodeHost } from "./host.ts";
import { openPath } from "./open-path.ts";

export interface CurveRequest extends Partial<CurveOptions> {
  /** A Hugging Face folder or a GGUF file. */
  readonly model: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Measures how good a model would be at several sizes; writes none of them.
 *
 * @returns events of the progress; the last is "done" with the curve
 * @throws {CompError} whose message says what went wrong and whose hint says how to go on; kind "aborted" after the signal
 */
export async function* curve({ model, signal, ...given }: CurveRequest): AsyncGenerator<CurveEvent> {
  const { as, sparsity, ...rest } = parseOptions<CurveOptions>(CurveOptions, given);
  const options = pruneOptions(rest);
  const outputFormat = as === "gguf" ? "gguf" : "safetensors";
  const checkpoint = await openPath(model);
  try {
    const host = nodeHost({ outputFormat, place: ".", threads: options.threads, signal });
    yield* traceCurve(checkpoint, options, sparsity, host);
  } catch (error) {
    if (signal?.aborted && !(error instanceof CompError)) throw new CompError("aborted", "stopped", { cause: error });
    throw error;
  } finally {
    await checkpoint.close();
  }
}
