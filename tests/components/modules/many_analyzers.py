"""A preprocessing_fn with most of TFT's analyzers: what the in-memory executor must do as Beam does."""

import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs, custom_config):
    x, y, word, number, key = inputs["x"], inputs["y"], inputs["word"], inputs["number"], inputs["key"]
    label = tf.cast(inputs["label"], tf.int64)
    centred = x - tft.mean(x)
    x_flat, y_flat, key_flat = (tf.reshape(t, [-1]) for t in (x, y, key))
    out = {
        "z_score": tft.scale_to_z_score(x),
        "unit": tft.scale_to_0_1(y),
        "min_max": tft.scale_by_min_max(x, -2.0, 2.0),
        "spread": centred / tft.max(tf.abs(centred)),  # a second phase
        "variance": x / tf.sqrt(tft.var(x)),
        "total": x + tf.cast(tft.sum(y), tf.float32) + tf.cast(tft.size(y), tf.float32),
        "buckets": tft.bucketize(x, custom_config["buckets"]),
        "quantiles": tft.apply_buckets(y, tft.quantiles(y, 5, epsilon=0.01)),
        "buckets_per_key": tft.bucketize_per_key(x_flat, key_flat, 3)[:, tf.newaxis],
        "z_per_key": tft.scale_to_z_score_per_key(x_flat, key_flat)[:, tf.newaxis],
        "unit_per_key": tft.scale_to_0_1_per_key(y_flat, key_flat)[:, tf.newaxis],
        "word_id": tft.compute_and_apply_vocabulary(word, top_k=4, num_oov_buckets=2, vocab_filename="words"),
        "word_common": tft.compute_and_apply_vocabulary(word, frequency_threshold=40, default_value=-7),
        "word_shuffled": tft.compute_and_apply_vocabulary(word, fingerprint_shuffle=True),
        "word_informative": tft.compute_and_apply_vocabulary(word, labels=label, top_k=3),
        "word_adjusted": tft.compute_and_apply_vocabulary(word, labels=label, use_adjusted_mutual_info=True),
        "word_weighted": tft.compute_and_apply_vocabulary(word, weights=tf.abs(y), store_frequency=True),
        "word_reserved": tft.compute_and_apply_vocabulary(word, reserved_tokens=["<pad>", "a"]),
        "word_gzip": tft.compute_and_apply_vocabulary(word, file_format="tfrecord_gzip"),
        "number_id": tft.compute_and_apply_vocabulary(number, top_k=3, num_oov_buckets=1),
        "hashed": tft.hash_strings(word, 10),
        "pca": tf.matmul(tf.concat([x, y], 1), tft.pca(tf.concat([x, y], 1), output_dim=1, dtype=tf.float32)),
        "covariance": tf.matmul(tf.concat([x, y], 1), tft.covariance(tf.concat([x, y], 1), dtype=tf.float32)),
        "histogram": x + tf.cast(tft.histogram(x, boundaries=3)[0][0], tf.float32),
        "tags_id": tft.compute_and_apply_vocabulary(inputs["tags"], vocab_filename="tags"),
        "label": label,
    }
    out["two_phase_word"] = tft.compute_and_apply_vocabulary(
        tf.strings.as_string(out["buckets"]), vocab_filename="bucket_words"
    )
    tft.vocabulary(tf.strings.join([word, key]), vocab_filename="pairs", frequency_threshold=5)
    return out
