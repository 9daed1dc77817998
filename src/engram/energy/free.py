"""The operators of torch that sum no products and are therefore free, with the reasons."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

_GROUPS = {
    "a view: other strides over the same values": """
        _conj _fw_primal _neg_view _reshape_alias _unsafe_view alias as_strided detach diagonal
        expand lift lift_fresh narrow permute select slice slice_inverse split split_with_sizes
        squeeze t transpose unbind unfold unsafe_split unsafe_split_with_sizes unsqueeze view
        view_as_complex view_as_real
    """,
    "moves or copies values": """
        _chunk_cat _conj_physical _copy_from _lazy_clone _pack_padded_sequence _pin_memory
        _reshape_copy _resize_output _stack _to_copy _unsafe_index _unsafe_masked_index
        _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d
        as_strided_scatter block_diag cat channel_shuffle clone complex conj_physical
        constant_pad_nd copy diag_embed diagonal_scatter embedding fill flip gather im2col index
        index_copy index_fill index_select masked_fill masked_scatter masked_select max_unpool2d
        max_unpool3d pixel_shuffle pixel_unshuffle reflection_pad1d reflection_pad2d
        reflection_pad3d repeat repeat_interleave replication_pad1d replication_pad2d
        replication_pad3d resize resize_as roll rot90 scatter select_scatter set slice_scatter
        stack take tril triu upsample_nearest1d upsample_nearest2d upsample_nearest3d where zero
    """,
    "creates values without reading any": """
        _efficientzerotensor _new_zeros_with_same_feature_meta arange bartlett_window bernoulli
        blackman_window cauchy empty empty_like empty_permuted empty_strided exponential eye
        fft_fftfreq fft_rfftfreq full full_like geometric hamming_window hann_window
        kaiser_window linspace log_normal logspace multinomial new_empty new_empty_strided
        new_full new_ones new_zeros normal ones ones_like poisson rand rand_like randint
        randint_like randn randn_like random randperm range scalar_tensor tril_indices
        triu_indices uniform zeros zeros_like
    """,
    "reads the shape of a tensor, or returns one value to Python": """
        _assert_async _assert_scalar _assert_tensor_metadata _functional_assert_async
        _fused_sdp_choice _has_same_storage_numel _local_scalar_dense is_pinned is_same_size
        is_set_to record_stream sym_constrain_range sym_constrain_range_for_size
    """,
    "compares, selects or counts": """
        __ilshift__ __irshift__ __lshift__ __rshift__ _aminmax _cummax_helper _cummin_helper
        _is_all_true _is_any_true _unique _unique2 adaptive_max_pool2d adaptive_max_pool3d all
        allclose amax amin aminmax any argmax argmin bincount bitwise_and bitwise_left_shift
        bitwise_not bitwise_or bitwise_right_shift bitwise_xor bucketize ceil clamp clamp_max
        clamp_min copysign count_nonzero cummax cummin eq equal floor fmax fmin frac
        fractional_max_pool2d fractional_max_pool3d ge gt hardshrink hardtanh heaviside histc
        isin isinf isnan isneginf isposinf kthvalue le logical_and logical_not logical_or
        logical_xor lt max max_pool2d_with_indices max_pool3d_with_indices maximum median min
        minimum mode nan_to_num nanmedian ne nonzero nonzero_static relu round searchsorted sign
        signbit softshrink sort threshold topk trunc unique_consecutive unique_dim
        unique_dim_consecutive
    """,
    "adds and subtracts; a constant factor folds into a weight": """
        _adaptive_avg_pool2d _adaptive_avg_pool3d _embedding_bag _embedding_bag_forward_only
        _index_put_impl _unsafe_index_put _unsafe_masked_index_put_accumulate
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d add avg_pool1d avg_pool2d
        avg_pool3d col2im cumsum index_add index_put index_reduce mean nansum neg put rsub
        scatter_add scatter_reduce sub sum trace
    """,
    "a function of one value, as an activation function is": """
        abs acos acosh angle asin asinh atan atanh celu cos cosh deg2rad digamma elu erf erfc
        erfinv exp exp2 expm1 floor_divide fmod frexp gelu hardsigmoid hardswish i0 leaky_relu
        lgamma log log10 log1p log2 log_sigmoid_forward logit mish rad2deg reciprocal remainder
        rrelu_with_noise rsqrt sgn sigmoid silu sin sinc sinh softplus sqrt tan tanh
    """,
    "normalises; papers and NeuroBench do not count it, and batch norm folds into a weight": """
        _batch_norm_no_update _batch_norm_with_update _log_softmax _masked_softmax
        _native_batch_norm_legit _native_batch_norm_legit_no_training _safe_softmax _softmax
        cudnn_batch_norm logaddexp logaddexp2 logcumsumexp logsumexp miopen_batch_norm
        native_batch_norm native_dropout native_group_norm native_layer_norm
    """,
}

FREE: Mapping[str, str] = {
    f"aten::{name}": reason for reason, names in _GROUPS.items() for name in names.split()
}
"""Why an operator sums no products, by its name without the underscore of in-place forms."""

LINEAR = frozenset(
    f"aten::{name}" for names in list(_GROUPS.values())[:4] for name in names.split()
) | {f"aten::{name}" for name in ("add", "sub", "rsub", "sum", "mean", "cumsum", "neg", "eq", "ne")}
"""Operators that treat complex numbers like real ones."""


def _given(place: int, name: str) -> Callable[[Sequence[Any], Mapping[str, Any]], Any]:
    def value(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return args[place] if len(args) > place else kwargs.get(name)

    return value


def _reduces_by_product(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    return any(x in ("prod", "multiply") for x in (*args, *kwargs.values()) if isinstance(x, str))


def _has_divisor(args: Sequence[Any], _kwargs: Mapping[str, Any]) -> bool:
    return len(args) > 1 and all(isinstance(x, Tensor) and x.numel() > 1 for x in args[:2])


_weights = _given(6, "per_sample_weights")
EXCEPT: Mapping[str, Callable[[Sequence[Any], Mapping[str, Any]], Any]] = {
    "aten::scatter": _reduces_by_product,
    "aten::scatter_reduce": _reduces_by_product,
    "aten::index_reduce": _reduces_by_product,
    "aten::_embedding_bag": lambda args, kwargs: _weights(args, kwargs) is not None,
    "aten::_embedding_bag_forward_only": lambda args, kwargs: _weights(args, kwargs) is not None,
    "aten::remainder": _has_divisor,
    "aten::fmod": _has_divisor,
    "aten::floor_divide": _has_divisor,
}
"""Conditions under which an otherwise free operator multiplies."""


def base_name(name: str) -> str:
    """The base name of an operator, without markers of in-place or view-copy forms."""
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    plain = name.removesuffix("_copy")
    return plain if plain in FREE else name


def is_free(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether an operator, by its base name, is known to sum no products of these arguments."""
    if name not in FREE:
        return False
    if name in EXCEPT and EXCEPT[name](args, kwargs):
        return False
    return name in LINEAR or not any(isinstance(x, Tensor) and x.is_complex() for x in args)
