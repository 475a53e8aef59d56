/** A topic deleted and made again under load, a hundred times. SLUICE_LONG_BUDGET=short does it ten times. */
import { after, before, test } from 'node:test';
import type { Scene } from '../../../harness/scene.ts';
import { deleteAgainAndAgain, startAgainScene } from './again.ts';

const incarnations = process.env['SLUICE_LONG_BUDGET'] === 'short' ? 10 : 100;
let scene: Scene;

before(async () => {
  scene = await startAgainScene();
});

after(async () => {
  await scene?.stop();
});

test('an id of a topic that is gone never stands for another, and clients find their way', async (t) => {
  t.diagnostic(await deleteAgainAndAgain(scene, incarnations));
});
