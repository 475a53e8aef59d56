import type { Scene } from './capture.ts';

const stepTimeoutMs = 40_000;

/** Runs one step of a client; its failure or delay is told, and does not stop the others. */
export async function attempt(scene: Scene, what: string, step: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('took too long')), stepTimeoutMs);
  });
  try {
    await Promise.race([step(), late]);
  } catch (error) {
    scene.say(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    clearTimeout(timer);
  }
}
