// How far a run is: one live line on a terminal, a plain line a minute in a pipe.
import type { StageEvent, StageName } from "../events/common.ts";
import { formatSeconds } from "../report/format.ts";
import type { Screen } from "./screen.ts";

const VERBS: Record<StageName, string> = {
  generate: "generating calibration text",
  "layer-importance": "scoring layers",
  "neuron-importance": "scoring neurons",
  gradient: "computing gradients",
  ablation: "ablating single layers",
  trial: "trying a cut",
  prune: "pruning",
  write: "writing",
  verify: "verifying",
  evaluate: "evaluating",
};

const SECONDS_BETWEEN_PLAIN_LINES = 60;

/** Returns the listener for stage events. `now` is a clock in seconds. */
export function createProgress(screen: Screen, now: () => number): (event: StageEvent) => void {
  let stage: StageName | undefined;
  let stageStart = now();
  let lastDone = 0;
  let lastPlainLine = now();
  return (event) => {
    if (event.name !== stage || event.done < lastDone) [stage, stageStart] = [event.name, now()]; // or the stage begins again
    lastDone = event.done;
    const line = renderStage(event, now() - stageStart);
    screen.live(event.done < event.total ? line : "");
    if (screen.isTerminal || now() - lastPlainLine < SECONDS_BETWEEN_PLAIN_LINES) return;
    screen.note(line);
    lastPlainLine = now();
  };
}

/** "pruning 12/30, 1 min 20 s left"; the time left follows from the stage's own pace. */
export function renderStage({ name, done, total }: StageEvent, elapsedSeconds: number): string {
  const left = done === 0 ? "" : `, ${formatSeconds((elapsedSeconds / done) * (total - done))} left`;
  return `${VERBS[name]} ${done}/${total}${left}`;
}
