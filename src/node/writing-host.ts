// What work on this machine that writes a model needs: the source opened, and an output that nobody else writes, made sure of before
// the work begins.
import { randomUUID } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { sep } from "node:path";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import type { CriterionName } from "../importance/index.ts";
import type { OwnCriterion } from "../method/resolve-method.ts";
import { openModel } from "../model/model.ts";
import type { PruneOptions } from "../options/prune.ts";
import type { Host, RunKey, SweepHost } from "../run-context.ts";
import { withClaim } from "./claim.ts";
import { codeHash } from "./code-hash.ts";
import { openBackend } from "./device.ts";
import { nodeHost } from "./host.ts";
import { openJournal, stampOf } from "./journal.ts";
import { withPaths } from "./open-path.ts";
import { probeOutput, stageFile, stageFolder } from "./output-folder.ts";
import { probeScratch } from "./scratch-folder.ts";
import type { ModelRequest } from "./stream-events.ts";

/** What work that writes needs of a request. */
export interface WritingRequest extends ModelRequest {
  /** The folder to write, or the file when it ends in .gguf. */
  readonly output: string;
  /** Replace what stands at `output`; default false. */
  readonly overwrite?: boolean | undefined;
  /** Do without what earlier runs have found out about the model, and keep nothing of it; default false. */
  readonly noCache?: boolean | undefined;
  /** The name of a criterion, or one of one's own. */
  readonly criterion?: CriterionName | OwnCriterion | undefined;
}

/** Opens the model and makes sure of the output, unless the run is dry, before the work begins. */
export async function onWritingHost<Result>(
  request: WritingRequest,
  options: Pick<PruneOptions, "threads" | "device" | "dryRun">,
  work: (checkpoint: Checkpoint, host: Host) => Promise<Result>,
): Promise<Result> {
  const { model, output, overwrite = false, noCache, signal } = request;
  const outputFormat = formatOf(output);
  const open = (): Promise<Result> =>
    withPaths(async (openPath) => {
      const checkpoint = await openPath(model);
      const backend = await openBackend(options, (await openModel(checkpoint)).spec);
      const { threads } = options;
      const machine = nodeHost({ backend, outputFormat, place: output, threads, noCache, signal });
      return work(checkpoint, await writingHost(machine, checkpoint, request));
    });
  if (options.dryRun) return open();
  if (overwrite) checkApart(model, output);
  return withClaim(output, async () => {
    await probeOutput(output, outputFormat === "gguf" ? "file" : "folder", { overwrite });
    await probeScratch();
    return open();
  });
}

export const formatOf = (output: string): Checkpoint["format"] => (/\.gguf$/i.test(output) ? "gguf" : "safetensors");

async function writingHost(
  machine: SweepHost,
  checkpoint: Checkpoint,
  { model, output, overwrite = false, criterion }: WritingRequest,
): Promise<Host> {
  const stage = formatOf(output) === "gguf" ? stageFile : stageFolder;
  const stamp = await stampOf(model, checkpoint);
  // nothing tells whether a criterion of one's own still does what it did: nobody goes on with that
  const optionsOf = (key: RunKey): string => (typeof criterion === "object" ? randomUUID() : key.options);
  const keyOf = (key: RunKey): RunKey => ({
    version: [key.version, codeHash(), machine.backend.device].join(" "),
    source: `${key.source} ${stamp}`,
    options: optionsOf(key),
  });
  return {
    ...machine,
    createOutput: (course) => stage(output, { overwrite, course }),
    openJournal: (key) => openJournal(output, keyOf(key)),
  };
}

/** Refuses an output that would take away the model that is read. @throws {CompError} "output" */
function checkApart(model: string, output: string): void {
  if (!existsSync(output) || !existsSync(model)) return;
  const [source, target] = [realpathSync(model), realpathSync(output)];
  if (source !== target && !source.startsWith(target + sep)) return;
  throw new CompError("output", `${output} is${source === target ? "" : " the folder of"} the model that is read`, {
    hint: "name another output",
  });
}
