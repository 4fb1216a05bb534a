"""The papers and solvers behind a result."""

from collections.abc import Iterable

REFERENCES = {
    "racedyn": (
        "The racedyn authors. racedyn: learning dynamics of gated deep linear networks, in theory "
        "and in training. Software, 2026."
    ),
    "Shi22": (
        "J. Shi, E. Shea-Brown, M. A. Buice. Learning dynamics of deep linear networks with "
        "multiple pathways. Advances in Neural Information Processing Systems 35, 2022."
    ),
    "Saxe14": (
        "A. M. Saxe, J. L. McClelland, S. Ganguli. Exact solutions to the nonlinear dynamics of "
        "learning in deep linear neural networks. International Conference on Learning "
        "Representations, 2014."
    ),
    "Saxe19": (
        "A. M. Saxe, J. L. McClelland, S. Ganguli. A mathematical theory of semantic "
        "development in deep neural networks. Proceedings of the National Academy of Sciences "
        "116(23), 2019."
    ),
    "Arora18": (
        "S. Arora, N. Cohen, E. Hazan. On the optimization of deep networks: implicit "
        "acceleration by overparameterization. International Conference on Machine Learning, "
        "PMLR 80, 2018."
    ),
    "Fukumizu98": (
        "K. Fukumizu. Effect of batch learning in multilayer neural networks. International "
        "Conference on Neural Information Processing, 1998."
    ),
    "Blanc20": (
        "G. Blanc, N. Gupta, G. Valiant, P. Valiant. Implicit regularization for deep neural "
        "networks driven by an Ornstein-Uhlenbeck like process. Conference on Learning Theory, "
        "PMLR 125, 2020."
    ),
    "Damian21": (
        "A. Damian, T. Ma, J. D. Lee. Label noise SGD provably prefers flat global minimizers. "
        "Advances in Neural Information Processing Systems 34, 2021."
    ),
    "Braun22": (
        "L. Braun, C. Dominé, J. Fitzgerald, A. Saxe. Exact learning dynamics of deep linear "
        "networks with prior knowledge. Advances in Neural Information Processing Systems 35, "
        "2022."
    ),
    "Domine25": (
        "C. C. J. Dominé, N. Anguita, A. M. Proca, L. Braun, D. Kunin, P. A. M. Mediano, A. M. "
        "Saxe. From lazy to rich: exact learning dynamics in deep linear networks. International "
        "Conference on Learning Representations, 2025."
    ),
    "Saxe22": (
        "A. M. Saxe, S. Sodhani, S. J. Lewallen. The neural race reduction: dynamics of "
        "abstraction in gated networks. International Conference on Machine Learning, PMLR 162, "
        "2022."
    ),
    "Jarvis25": (
        "D. Jarvis et al. Make haste slowly: a theory of emergent structured mixed selectivity "
        "in feature learning ReLU networks. International Conference on Learning "
        "Representations, 2025."
    ),
    "Zhang24": (
        "Y. Zhang, P. E. Latham, A. M. Saxe. Understanding unimodal bias in multimodal deep "
        "linear networks. International Conference on Machine Learning, PMLR 235, 2024."
    ),
    "Tsit5": (
        "Ch. Tsitouras. Runge-Kutta pairs of order 5(4) satisfying only the first column "
        "simplifying assumption. Computers and Mathematics with Applications 62(2), 2011."
    ),
    "Kvaerno5": (
        "A. Kværnø. Singly diagonally implicit Runge-Kutta methods with an explicit first "
        "stage. BIT Numerical Mathematics 44, 2004."
    ),
    "Dopri8": (
        "P. J. Prince, J. R. Dormand. High order embedded Runge-Kutta formulae. Journal of "
        "Computational and Applied Mathematics 7(1), 1981."
    ),
    "diffrax": (
        "P. Kidger. On neural differential equations. PhD thesis, University of Oxford, 2021 "
        "(diffrax)."
    ),
    "jax": ("J. Bradbury et al. JAX: composable transformations of Python+NumPy programs, 2018."),
}


def cite(*, sources: Iterable[str] = (), solvers: Iterable[str] = ()) -> list[str]:
    """References of the papers `sources` (keys) and of the solvers named in provenance, JAX
    last.

        >>> [line.partition("]")[0][1:] for line in rd.studies.cite(sources=["Shi22"])]
        ['Shi22', 'jax']
    """
    keys = [key for key in sources if key in REFERENCES]
    named = [
        key for key in ("Tsit5", "Kvaerno5", "Dopri8") if any(key in solver for solver in solvers)
    ]
    keys += named + (["diffrax"] if named else []) + ["jax"]
    return [f"[{key}] {REFERENCES[key]}" for key in dict.fromkeys(keys)]
