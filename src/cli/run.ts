// One command line from argv to exit code: finds the command, checks its flags, runs it, words its failure.
import { CompError } from "../errors.ts";
import { benchCommand } from "./bench.ts";
import { cacheCommand } from "./cache.ts";
import type { Command, CommandContext, Library } from "./command.ts";
import { compareCommand } from "./compare.ts";
import { curveCommand } from "./curve.ts";
import { evalCommand } from "./eval.ts";
import { fitCommand } from "./fit.ts";
import { parseFlags, renderFlags } from "./flags.ts";
import { generateCommand } from "./generate.ts";
import { inspectCommand } from "./inspect.ts";
import { unknownWord } from "./misspelt.ts";
import { pruneCommand } from "./prune.ts";
import type { Screen } from "./screen.ts";
import { verifyCommand } from "./verify.ts";
import { vocabularyCommand } from "./vocabulary.ts";

const COMMANDS: readonly Command[] = [
  pruneCommand,
  curveCommand,
  vocabularyCommand,
  compareCommand,
  fitCommand,
  inspectCommand,
  verifyCommand,
  evalCommand,
  generateCommand,
  benchCommand,
  cacheCommand,
];

export const EXIT = { success: 0, failure: 1, usage: 2, interrupted: 130 } as const;

export interface Surroundings {
  readonly version: string;
  /** Loaded only when a command runs, so that help needs no arithmetic library. */
  loadLibrary(): Promise<Library>;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  /** Print stack traces. */
  readonly debug: boolean;
}

/** Whether what a command line prints is not all that it does. */
export const writesFiles = ([name]: readonly string[]): boolean =>
  COMMANDS.some((command) => command.name === name && command.writesFiles === true);

/** Runs one command line and returns the exit code; never throws. */
export async function runCommandLine(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    await dispatch(argv, surroundings);
    return EXIT.success;
  } catch (error) {
    return reportFailure(error, surroundings);
  }
}

async function dispatch(argv: readonly string[], surroundings: Surroundings): Promise<void> {
  const { screen, version, signal } = surroundings;
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h") return screen.print(renderHelp());
  if (name === "--version" || name === "-v") return screen.print(version);
  if (name === "help") return screen.print(rest[0] === undefined ? renderHelp() : renderCommandHelp(find(rest[0])));
  const command = find(name);
  if (rest.includes("--help") || rest.includes("-h")) return screen.print(renderCommandHelp(command));
  const { positionals, options } = parseFlags(command.flags, rest);
  const [model = "", ...others] = checkModels(command, positionals);
  const context: CommandContext = { library: await surroundings.loadLibrary(), screen, signal, others };
  await command.run(model, options, context);
}

function find(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const names = COMMANDS.map((candidate) => candidate.name);
  throw unknownWord("command", name, {
    words: names,
    prefix: "comp ",
    otherwise: `the commands are ${names.join(", ")}`,
  });
}

function checkModels({ name, models = 1, examples }: Command, positionals: readonly string[]): readonly string[] {
  if (positionals.length === models) return positionals;
  const hint = `for example: ${examples[0]}`;
  const got = positionals.join(" and ");
  if (models === 0) throw new CompError("option", `${name} is about no model in particular, got ${got}`, { hint });
  if (positionals.length === 0) throw new CompError("option", `${name} needs a model folder or GGUF file`, { hint });
  throw new CompError("option", `${name} takes ${models === 1 ? "one model" : "two models"}, got ${got}`, { hint });
}

function reportFailure(error: unknown, { screen, signal, debug }: Surroundings): number {
  if (debug && error instanceof Error) screen.note(error.stack ?? error.message);
  if (signal.aborted) {
    screen.note(`comp: ${error instanceof CompError ? error.message : "stopped; nothing was written"}`);
    return EXIT.interrupted;
  }
  if (!(error instanceof CompError)) {
    screen.note(`comp: unexpected error: ${oneLine(error)}`);
    screen.note("  this is a fault of comp; please report it with the output of COMP_DEBUG=1");
    return EXIT.failure;
  }
  screen.note(`comp: ${error.message}`);
  if (error.hint !== undefined) screen.note(`  ${error.hint}`);
  return error.kind === "option" ? EXIT.usage : EXIT.failure;
}

const oneLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0]!.trim();

const usageOf = ({ name, models = 1 }: Command): string => `comp ${name}${" MODEL".repeat(models)}`;

function renderHelp(): string {
  const commands = COMMANDS.map((command) => `  ${usageOf(command).padEnd(20)}  ${command.summary}`);
  return [
    "comp makes a large language model smaller: structured pruning, standard checkpoints in and out.",
    "",
    ...commands,
    `  ${"comp help COMMAND".padEnd(20)}  the flags of a command`,
    "",
    "MODEL is a Hugging Face folder with safetensors files, or a GGUF file.",
  ].join("\n");
}

function renderCommandHelp(command: Command): string {
  const examples = command.examples.map((example) => `  ${example}`);
  return [`${usageOf(command)}: ${command.summary}`, "", renderFlags(command.flags), "", "Examples:", ...examples].join(
    "\n",
  );
}
