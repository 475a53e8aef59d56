/** A topic deleted and made again under load, a few times; test/long/topic-again does it a hundred times. */
import { after, before, test } from 'node:test';
import type { Scene } from '../../harness/scene.ts';
import { deleteAgainAndAgain, startAgainScene } from '../long/topic-again/again.ts';

let scene: Scene;

before(async () => {
  scene = await startAgainScene();
});

after(async () => {
  await scene?.stop();
});

test('an id of a topic that is gone never stands for another, and clients find their way', async (t) => {
  t.diagnostic(await deleteAgainAndAgain(scene, 4));
});
