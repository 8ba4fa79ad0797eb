// The best model within a limit: the mixes of type and pruning that meet it, what each costs, and the winner written.
import { type Limit, runtimeLimit, sizeLimit } from "../allocation/fit-limits.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { Output } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";
import type { Fit, FitEvent, FitMix } from "../events/fit.ts";
import type { PruneResult } from "../events/prune.ts";
import { openModel } from "../model/model.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { FitOptions } from "../options/fit.ts";
import { PruneOptions, parseByteSize } from "../options/prune.ts";
import { parseOptions } from "../options/schema.ts";
import { formatBytes } from "../report/format.ts";
import type { Host } from "../run-context.ts";
import { judgeMixes } from "./fit-costs.ts";
import { plannedMixes } from "./fit-mixes.ts";
import type { pruneCheckpoint } from "./prune-checkpoint.ts";

/** How much more is pruned, each time that a file came out larger than planned. */
const MORE = 0.01;
const MOST_ATTEMPTS = 4;

export interface FitHost extends Host {
  /** The method, which is one task among others and which this one calls as a whole. */
  readonly prune: typeof pruneCheckpoint;
}

/**
 * Writes the best mix of type and pruning that meets the limits into the host's output.
 *
 * @throws {CompError} "option" without a limit, "budget" when nothing meets it, and as `pruneCheckpoint`
 */
export async function fitCheckpoint(
  source: Checkpoint,
  given: FitOptions,
  host: FitHost,
  report: (event: FitEvent) => void,
): Promise<Fit> {
  const { size, runtimeMemory, runtimeContext, ...rest } = given;
  const options = parseOptions(PruneOptions, rest);
  const model = await openModel(source);
  const limits = limitsOf(given, model.spec);
  const mixes = await plannedMixes({ model, options, format: host.outputFormat, limits });
  const judged = await judgeMixes(source, options, mixes, host, report);
  const [mix] = judged;
  const plain = judged.find(({ sparsity }) => sparsity === 0);
  report({ type: "chosen", mix: mix!, ...(plain && { plain }) });
  const most = size === undefined ? Number.POSITIVE_INFINITY : parseByteSize(size);
  const result = await writeMix(source, options, mix!, withinSize(host, most), report);
  return { mixes: judged, ...(plain && { plain }), result };
}

/** @throws {CompError} "option" when there is none */
export function limitsOf(
  { size, runtimeMemory, runtimeContext }: Pick<FitOptions, "size" | "runtimeMemory" | "runtimeContext">,
  spec: DecoderSpec,
): Limit[] {
  const limits = [
    ...(size === undefined ? [] : [sizeLimit(parseByteSize(size))]),
    ...(runtimeMemory === undefined ? [] : [runtimeLimit(parseByteSize(runtimeMemory), spec, runtimeContext)]),
  ];
  if (limits.length > 0) return limits;
  throw new CompError("option", "there is no limit to fit into", { hint: "give --size or --runtime-memory" });
}

/** What was written takes more than the limit. */
class TooLarge extends CompError {
  constructor(bytes: number, most: number) {
    super("budget", `what was written takes ${formatBytes(bytes)} instead of ${formatBytes(most)} at most`, {
      hint: "give a smaller --size, and please report this",
    });
  }
}

/** The host, whose outputs come to their names only when all their files together are within a size. */
const withinSize = (host: FitHost, most: number): FitHost => ({
  ...host,
  createOutput: async (course) => {
    const output = await host.createOutput(course);
    const commit = async (): Promise<void> => {
      const bytes = await bytesOf(output);
      if (bytes > most) throw new TooLarge(bytes, most);
      await output.commit();
    };
    return {
      name: output.name,
      staged: output.staged,
      create: (file, options) => output.create(file, options),
      flush: () => output.flush(),
      commit,
      discard: () => output.discard(),
    };
  },
});

async function bytesOf({ staged }: Output): Promise<number> {
  let bytes = 0;
  for (const file of await staged.list()) {
    const opened = await staged.open(file);
    bytes += opened.size;
    await opened.close();
  }
  return bytes;
}

/** Writes a mix, with a little more pruned where widths of each layer's own have come out larger than planned. */
async function writeMix(
  source: Checkpoint,
  options: PruneOptions,
  { dtype, sparsity }: FitMix,
  host: FitHost,
  report: (event: FitEvent) => void,
): Promise<PruneResult> {
  for (let attempt = 0; ; attempt++) {
    const asked = { ...options, dtype, sparsity: Math.min(1, sparsity + attempt * MORE) };
    try {
      const result = await host.prune(source, asked, host, (event) => event.type !== "done" && report(event));
      return result!;
    } catch (error) {
      if (!(error instanceof TooLarge) || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}
