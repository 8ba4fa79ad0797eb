// llama.cpp as it comes with the optional package node-llama-cpp, in this process.
import type { Llama } from "node-llama-cpp";

/** The package guesses what a model needs, and refuses by its guess; files are mapped, and the context is small. */
export const ANY_MEMORY = { ignoreMemorySafetyChecks: true } as const;

/** llama.cpp on the processor, as it comes built; or why there is none. What it complains of goes to stderr. */
export async function startLlamaCpp(threads: number): Promise<Llama | string> {
  const library = await import("node-llama-cpp").catch(() => undefined);
  if (library === undefined) return "node-llama-cpp is not installed";
  const { getLlama, LlamaLogLevel } = library;
  const logger = (_: unknown, line: string): void => void process.stderr.write(`${line.trimEnd()}\n`);
  const options = { gpu: false, maxThreads: threads, build: "never", progressLogs: false, logger } as const;
  return getLlama({ ...options, logLevel: LlamaLogLevel.error }).catch(
    () => "node-llama-cpp has no llama.cpp for this machine",
  );
}
