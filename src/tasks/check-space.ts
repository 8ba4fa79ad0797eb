// Whether the disks have room for what a run will write, as far as the headers tell: before hours of work, not after.
import { windowCount } from "../calibration/windows.ts";
import { CompError } from "../errors.ts";
import type { Method } from "../method/method.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { formatBytes } from "../report/format.ts";
import type { SweepHost } from "../run-context.ts";
import { COST_TOKENS } from "../sensitivity/cost-curves.ts";
import { FACTOR_TOKENS } from "../sensitivity/fisher-factors.ts";
import type { Job } from "./prepare.ts";

/** Room for the result. @throws {CompError} "output" when there is none */
export async function checkSpace({ plan }: Job, host: SweepHost): Promise<void> {
  const [needed, free] = [plan.bytes.after, await host.freeBytes()];
  if (free === undefined || free > needed) return;
  throw new CompError("output", `the result takes ${formatBytes(needed)}, the disk has ${formatBytes(free)} left`, {
    hint: "free some space, or choose another disk with --output",
  });
}

/** Room for what waits outside of memory during the run. @throws {CompError} "output" when there is none */
export async function checkScratch({ model, method, memory }: Job, host: SweepHost): Promise<void> {
  const [needed, free] = [leastScratchBytes(model.spec, method, memory.states), await host.freeScratchBytes()];
  if (free === undefined || free > needed) return;
  const message = `temporary files take ${formatBytes(needed)}, their disk has ${formatBytes(free)} left`;
  throw new CompError("output", message, { hint: "free some space, or set TMPDIR to a folder on another disk" });
}

/**
 * Bytes of scratch space that a run takes at least: what enters the layers of a backward sweep, then Fisher factors and spilled
 * states.
 *
 * @param residentBytes what a stream of states may take in memory
 */
export function leastScratchBytes(spec: DecoderSpec, method: Method, residentBytes: number): number {
  const { backward, allocation, recovery, calibration } = method;
  const tokens = windowCount(spec, calibration) * calibration.context;
  const sublayers = { none: 0, mlp: 1, both: 2 }[backward.fisherFactors];
  const swept = sublayers > 0 ? Math.min(tokens, allocation.kind === "loss" ? COST_TOKENS : FACTOR_TOKENS) : 0;
  const states = 4 * tokens * spec.hiddenSize;
  const spilled = states > residentBytes ? (recovery.towardsDense === true ? 2 : 1) * states : 0;
  const layers = spec.layers.length;
  return Math.max(4 * layers * swept * spec.hiddenSize, 4 * layers * sublayers * spec.hiddenSize ** 2 + spilled);
}
