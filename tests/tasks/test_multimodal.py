"""Two modalities: covariances and correlations with the target are exactly the ones asked for."""

import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn import tasks


def joint(task):
    X = np.vstack([task.inputs["A"], task.inputs["B"]])
    return X @ X.T / task.num_examples


@pytest.mark.parametrize("rho", [-1.0, -0.8, 0.0, 0.4, 1.0])
def test_numbers_are_one_component_each(rho):
    task = tasks.multimodal(1.0, 0.49, rho, map_A=2.0, map_B=-1.0)
    AB = 0.7 * rho
    np.testing.assert_allclose(joint(task), [[1.0, AB], [AB, 0.49]], atol=1e-14)
    np.testing.assert_allclose(task.sigma_yx("A", "output"), [[2 - AB]], atol=1e-14)
    np.testing.assert_allclose(task.sigma_yx("B", "output"), [[2 * AB - 0.49]], atol=1e-14)
    assert task.num_examples == 2 and list(task.inputs) == ["A", "B"]


@pytest.mark.parametrize("seed", range(3))
def test_any_covariance_and_map(seed):
    """Blocks, variances and a correlation, on three and two components and two targets."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(5, 5))
    sigma = root @ root.T
    A, AB, B = sigma[:3, :3], sigma[:3, 3:], sigma[3:, 3:]
    W = rng.normal(size=(2, 5))
    task = tasks.multimodal(A, B, sigma_AB=AB, map_A=W[:, :3], map_B=W[:, 3:])
    np.testing.assert_allclose(joint(task), sigma, atol=1e-12)
    found = np.hstack([task.sigma_yx("A", "output"), task.sigma_yx("B", "output")])
    np.testing.assert_allclose(found, W @ sigma, atol=1e-12)

    # C of a correlation is that of whitened modalities: Pearson's, where components don't mix.
    C = np.clip(rng.normal(size=(3, 2)), -0.4, 0.4)
    variances = rng.uniform(0.5, 2, size=3), rng.uniform(0.5, 2, size=2)
    found = joint(tasks.multimodal(*variances, C))
    np.testing.assert_allclose(
        found[:3, 3:], C * np.sqrt(np.outer(*variances)), atol=1e-13, err_msg="Pearson"
    )
    white = np.linalg.inv(np.linalg.cholesky(A)), np.linalg.inv(np.linalg.cholesky(B))
    between = white[0] @ joint(tasks.multimodal(A, B, 0.4))[:3, 3:] @ white[1].T
    np.testing.assert_allclose(np.linalg.svd(between)[1], 0.4, atol=1e-12)


def test_no_target_is_anything_else():
    """One target has U = 1 in both pairs and the sign in V; a modality that is not correlated with
    it has no modes."""
    task = tasks.multimodal(1.0, 0.49, -0.8)
    modes = task.all_modes()
    for pair, sign in ((("A", "output"), 1.0), (("B", "output"), -1.0)):
        assert modes[pair].U.tolist() == [[1.0]] and modes[pair].V.tolist() == [[sign]]
    suppressor = tasks.multimodal(1.0, 0.49, -0.7)
    assert set(suppressor.all_modes()) == {("A", "output")}
    several = tasks.multimodal([1.0, 0.3], [1.0, 0.5], map_A=np.eye(2), map_B=np.eye(2))
    np.testing.assert_allclose(several.pair_modes("B", "output").S, [1.0, 0.5], atol=1e-14)


def test_singular_covariances():
    ones = np.ones((2, 2))
    np.testing.assert_allclose(joint(tasks.multimodal(ones, 1.0))[:2, :2], ones, atol=1e-14)
    one = np.random.default_rng(0).normal(size=(4, 1))
    np.testing.assert_allclose(  # whose eigenvalues are below 0 by rounding
        joint(tasks.multimodal(one @ one.T, 1.0))[:4, :4], one @ one.T, atol=1e-7
    )
    task = tasks.multimodal(jnp.array([1.0, 0.0]), 1.0)
    assert not task.inputs["A"][1].any()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sigma_A": [[1.0, 0.2], [0.1, 1.0]]}, r"`sigma_A` must be symmetric"),
        ({"sigma_A": -1.0}, r"`sigma_A` must make a covariance"),
        ({"sigma_B": np.ones((2, 3))}, r"`sigma_B` must be a number, variances \(n,\)"),
        ({"sigma_B": []}, r"`sigma_B` must be a number"),
        ({"correlation": 1.1}, r"smallest eigenvalue .* -0\.1\. Correlations have singular"),
        ({"sigma_AB": 1.1}, r"`sigma_AB` must make a covariance"),
        ({"correlation": [0.1]}, r"`correlation` must be a number or of shape \(1, 1\)"),
        ({"correlation": 0.1, "sigma_AB": 0.1}, r"`sigma_AB` must be left out"),
        ({"map_A": [1.0, 1.0]}, r"`map_A` must be a number, \(1,\) or \(n_out, 1\)"),
        ({"map_B": [[1.0], [1.0]]}, r"`map_B` must have a row for each of the 1 targets"),
        ({"map_A": np.inf}, r"`map_A` must be finite"),
    ],
)
def test_bad_input(given, said):
    with pytest.raises(ValueError, match=said):
        rd.tasks.multimodal(**given)
