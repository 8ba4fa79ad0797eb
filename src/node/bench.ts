// The speed of two models side by side: paths in, measurements out. The models take turns, so that a machine that is slow for a
// while is slow for both.
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { CompError } from "../errors.ts";
import type { BenchEvent, BenchedModel, EngineName, EngineResult, Speed } from "../events/bench.ts";
import type { Model } from "../model/model.ts";
import { openModel } from "../model/model.ts";
import { BenchOptions } from "../options/bench.ts";
import { parseOptions } from "../options/schema.ts";
import { checkExtent, speedRatios } from "../tasks/bench.ts";
import { inspectModel } from "../tasks/inspect.ts";
import type { BenchJob, BenchMessage } from "./bench-main.ts";
import { childProgram } from "./child-program.ts";
import { withPaths } from "./open-path.ts";
import { type ModelRequest, streamEvents } from "./stream-events.ts";

export interface BenchRequest extends ModelRequest, Partial<BenchOptions> {
  /** The model beside it: a Hugging Face folder or a GGUF file. */
  readonly other: string;
}

/**
 * Measures tokens a second in prefill and decode, and peak memory, of two models in turn: in our engine and, where both are GGUF
 * files and the package node-llama-cpp is installed, in llama.cpp.
 *
 * @returns each measurement as it is made; the last event is "done" with the ratios
 * @throws {CompError} "checkpoint" or "architecture" for a model that cannot be opened or run, "option" for more text than a
 *   model takes; kind "aborted" after the signal
 */
export const bench = (request: BenchRequest): AsyncGenerator<BenchEvent> =>
  streamEvents<BenchEvent>(async (report, signal) => {
    const { model, other, signal: _, ...given } = request;
    const options = parseOptions(BenchOptions, given);
    const { promptTokens, tokens, threads = availableParallelism() } = options;
    const start = performance.now();
    const paths = [model, other] as const;
    const models = await look(paths, options);
    const extent = { promptTokens, tokens };
    const engines: EngineResult[] = [];
    const left: { engine: EngineName; reason: string }[] = [];
    for (const engine of ["comp", "llama.cpp"] as const) {
      const reason = engine === "llama.cpp" ? whyNotLlamaCpp(models.map(({ format }) => format)) : undefined;
      const result =
        reason ?? (await takeTurns(paths, { engine, extent, threads }, options.repetitions, report, signal));
      if (typeof result === "string") left.push({ engine, reason: result });
      else engines.push(result);
    }
    const [first, second] = models.map(({ format: __, ...facts }): BenchedModel => facts) as [
      BenchedModel,
      BenchedModel,
    ];
    const seconds = (performance.now() - start) / 1000;
    return { type: "done", result: { models: [first, second], promptTokens, tokens, threads, engines, left, seconds } };
  }, request);

interface Looked extends BenchedModel {
  readonly format: "safetensors" | "gguf";
}

/** What the models are; each must take the text. */
const look = (paths: readonly string[], options: BenchOptions): Promise<Looked[]> =>
  withPaths((open) =>
    Promise.all(
      paths.map(async (path) => {
        const model: Model = await openModel(await open(path));
        checkExtent(model, options);
        const { format, bytes } = inspectModel(model, undefined);
        return { model: path, bytes, format };
      }),
    ),
  );

const whyNotLlamaCpp = (formats: readonly string[]): string | undefined =>
  formats.every((format) => format === "gguf") ? undefined : "not both are GGUF files";

/** Both models, repetition after repetition, the first of a pair in turn; or why the engine is left out. */
async function takeTurns(
  paths: readonly [string, string],
  job: Omit<BenchJob, "path">,
  repetitions: number,
  report: (event: BenchEvent) => void,
  signal: AbortSignal,
): Promise<EngineResult | string> {
  const speeds: [Speed[], Speed[]] = [[], []];
  for (let i = 0; i < 2 * repetitions; i++) {
    report({ type: "stage", name: "bench", done: i, total: 2 * repetitions });
    const at = (i % 2) ^ (Math.floor(i / 2) % 2); // A B, B A, A B
    const model = paths[at]!;
    const said = await measure({ ...job, path: model }, signal);
    if (said.type === "failure") {
      if (job.engine === "llama.cpp") return `${model}: ${said.message}`;
      throw new CompError("checkpoint", `${model}: ${said.message}`);
    }
    speeds[at]!.push(said.speed);
    report({ type: "measurement", model, engine: job.engine, ...said.speed });
  }
  report({ type: "stage", name: "bench", done: 2 * repetitions, total: 2 * repetitions });
  return { engine: job.engine, speeds, ratios: speedRatios(speeds) };
}

/** Runs a job in a process of its own. */
function measure(job: BenchJob, signal: AbortSignal): Promise<BenchMessage> {
  const { path, execArgv } = childProgram("bench-main");
  const child = fork(path, { execArgv, stdio: ["ignore", "ignore", "ignore", "ipc"], signal });
  let said: BenchMessage | undefined;
  child.on("message", (message: BenchMessage) => {
    said = message;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, ended) => {
      const death = ended === null ? `its process ended with code ${code}` : `its process was ended by ${ended}`;
      resolve(said ?? { type: "failure", message: death });
    });
    child.send(job, () => {}); // a process that is gone before it heard us has its end to say so
  });
}
