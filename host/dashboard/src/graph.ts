/** The job's graph as tasks: which vertices are chained, and what stands in front of what. Pure. */
import type { Edge, Job, Vertex } from "./contract.ts";

/** Vertices that are worked off by one thread for each subtask, without a channel between them. */
export interface Task {
  /** The id of its first vertex. */
  id: string;
  vertices: Vertex[];
}

/** The tasks in the graph's order, the first vertex of each in front. */
export function tasksOf(job: Job): Task[] {
  const tasks = new Map<string, Task>();
  for (const vertex of job.vertices) {
    const id = taskOf(vertex);
    const task = tasks.get(id) ?? { id, vertices: [] };
    if (vertex.id === id) task.vertices.unshift(vertex);
    else task.vertices.push(vertex);
    tasks.set(id, task);
  }
  return [...tasks.values()];
}

/** The task that a vertex is part of. */
export function taskOf(vertex: Vertex): string {
  return vertex.task ?? vertex.id;
}

/** The edges that records cross a channel on. */
export function edgesBetweenTasks(job: Job): Edge[] {
  const task = new Map(job.vertices.map((vertex) => [vertex.id, taskOf(vertex)]));
  return (job.edges ?? []).filter(({ from, to }) => task.has(from) && task.has(to) && task.get(from) !== task.get(to));
}

/** The tasks that send to this one, straight. */
export function inFrontOf(job: Job, taskId: string): string[] {
  const task = new Map(job.vertices.map((vertex) => [vertex.id, taskOf(vertex)]));
  const senders = edgesBetweenTasks(job).filter(({ to }) => task.get(to) === taskId).map(({ from }) => task.get(from) ?? from);
  return [...new Set(senders)];
}
