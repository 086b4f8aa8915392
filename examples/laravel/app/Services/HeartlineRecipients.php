<?php

declare(strict_types=1);

namespace App\Services;

use InvalidArgumentException;

/** Turns what an application calls a recipient into the names that the server knows: `user:6`. */
final class HeartlineRecipients
{
    /** Nested lists are followed so deep. */
    private const DEPTH = 4;

    /**
     * Accepts `'user:6'`, `'user:6,user:7'`, a logged-in user's model (anything with `getAuthIdentifier()`), an object
     * that names itself with `heartlineName(): string`, and arrays and collections of all these.
     *
     * @return list<string> each name once
     *
     * @throws InvalidArgumentException for what cannot be a recipient, and for nobody at all
     */
    public static function of(mixed $to): array
    {
        $names = self::names($to, self::DEPTH);
        if ($names === []) {
            throw new InvalidArgumentException('a push needs a recipient: to is empty');
        }

        return array_values(array_unique($names));
    }

    /** @return list<string> */
    private static function names(mixed $to, int $depth): array
    {
        if (is_string($to)) {
            return self::split($to);
        }
        if (is_iterable($to)) {
            if ($depth === 0) {
                throw new InvalidArgumentException('to is nested too deeply: give a list of recipients');
            }
            $names = [];
            foreach ($to as $one) {
                array_push($names, ...self::names($one, $depth - 1));
            }

            return $names;
        }
        if (is_object($to) && method_exists($to, 'heartlineName')) {
            return [self::checked($to->heartlineName())];
        }
        if (is_object($to) && method_exists($to, 'getAuthIdentifier')) {
            return [self::checked('user:' . $to->getAuthIdentifier())];
        }
        // A model that is no user (an order, say) has an id too, but nobody logs in with it.
        throw new InvalidArgumentException(
            'no recipient: ' . get_debug_type($to) . "; give 'user:6', a user's model, or a list of these"
        );
    }

    /** @return list<string> */
    private static function split(string $text): array
    {
        $parts = array_filter(array_map('trim', explode(',', $text)), fn (string $part) => $part !== '');

        return array_map(self::checked(...), array_values($parts));
    }

    private static function checked(string $name): string
    {
        if (preg_match('/^(online:)?[^\s:,=\[\]{}"]{1,64}:[^\s,\[\]{}"]+$/u', $name) !== 1) {
            $shown = json_encode(substr($name, 0, 80), JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE);
            throw new InvalidArgumentException("not the name of a recipient: $shown; write ROLE:ID, such as user:6");
        }

        return $name;
    }
}
