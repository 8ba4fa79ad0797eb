// llama.cpp as a second reader of GGUF files, where the optional package node-llama-cpp is installed beside this one. It runs in a
// process of its own: what it cannot bear ends that process, and what it complains of is told in our words.
import { type ChildProcess, fork } from "node:child_process";
import { CompError } from "../errors.ts";
import type { LlamaCppAnswer } from "../events/model.ts";
import { childProgram } from "./child-program.ts";
import type { LlamaCppJob, LlamaCppMessage } from "./llama-cpp-main.ts";

/** Of what the process complains of, characters: the first line says what was wrong. */
const LOG_LENGTH = 65_536;

/**
 * Loads a GGUF file and tells the greedy choice after each of the last tokens.
 *
 * @throws {CompError} "checkpoint" when llama.cpp is there and does not load or run the file; AbortError after the signal
 */
export async function askLlamaCpp(job: LlamaCppJob, signal?: AbortSignal): Promise<LlamaCppAnswer> {
  const { path, execArgv } = childProgram("llama-cpp-main");
  const child = fork(path, { execArgv, stdio: ["ignore", "ignore", "pipe", "ipc"], ...(signal && { signal }) });
  const { said, log, death } = await converse(child, job);
  if (said?.type === "tokens") return { loaded: true, firstTokens: said.firstTokens };
  if (said?.type === "absent") return { loaded: false, reason: said.reason };
  const unknown = log.find((line) => line.includes("unknown model architecture"));
  if (unknown !== undefined) return { loaded: false, reason: `an older llama.cpp: ${withoutFunction(unknown)}` };
  const reason = withoutFunction(log[0] ?? said?.message ?? death);
  throw new CompError("checkpoint", `${job.path}: llama.cpp does not run it: ${reason}`, {
    hint: "write the file again; if that does not help, please report it",
  });
}

interface Ended {
  /** Undefined when the process died before it could answer. */
  readonly said: LlamaCppMessage | undefined;
  /** Lines that llama.cpp wrote. */
  readonly log: readonly string[];
  /** How it ended, in words. */
  readonly death: string;
}

/** Sends the job, and waits until the process is gone and all that it wrote is read. */
function converse(child: ChildProcess, job: LlamaCppJob): Promise<Ended> {
  let said: LlamaCppMessage | undefined;
  let log = "";
  child.on("message", (message: LlamaCppMessage) => {
    said = message;
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    if (log.length < LOG_LENGTH) log += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const death = signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`;
      resolve({ said, log: log.split("\n").filter((line) => line.trim() !== ""), death });
    });
    child.send(job, () => {}); // a process that is gone before it heard us has its end to say so
  });
}

/** A line of llama.cpp's log without the name of the function that wrote it. */
const withoutFunction = (line: string): string => line.replace(/^\w+: /, "").trim();
